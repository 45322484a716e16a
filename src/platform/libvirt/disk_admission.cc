#include "platform/libvirt/disk_admission.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <limits>

#include "base/text.h"
#include "platform/libvirt/storage_reach.h"
#include "platform/libvirt/survey.h"

namespace virtseer::platform {

namespace {

constexpr std::size_t kShownBytes = 200;

std::string shown(std::string_view text) {
  return printable(text.substr(0, kShownBytes));
}

Sight sight(int done) {
  if (done == 0) return Sight::there;
  return errno == ENOENT || errno == ENOTDIR ? Sight::absent : Sight::hidden;
}

/// Of the name itself, whatever it leads to.
Sight sightOfName(const std::string& path) {
  struct stat about;
  return sight(lstat(path.c_str(), &about));
}

std::string nameOf(const DiskXml& disk) {
  return printable("disk " + disk.target);
}

void add(Admission& out, const DiskXml& disk, bool held, std::string words) {
  out.checks.push_back({nameOf(disk), held, std::move(words)});
}

std::uint64_t sum(std::uint64_t one, std::uint64_t other) {
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  return other > kMost - one ? kMost : one + other;
}

}  // namespace

Sight sightOf(const std::string& path) {
  struct stat about;
  return sight(stat(path.c_str(), &about));
}

std::string hiddenWords(const std::string& path) {
  return fmt::format("{} cannot be looked at: let the daemon's user search its folder",
                     shown(path));
}

DiskAdmission::DiskAdmission(const Connection& connection, std::vector<DiskCopy> copied)
    : connection_(connection), copied_(std::move(copied)), pools_(activePools(connection)) {}

void DiskAdmission::check(const DiskXml& named, Admission& out) {
  if (named.empty) return;
  const auto disk = resolved(connection_, named);
  const auto copied = std::ranges::find(copied_, disk.target, &DiskCopy::target);
  if (copied != copied_.end()) return checkCopy(disk, *copied, out);
  switch (disk.kind) {
    case DiskXml::Kind::file:
      return checkFile(disk, out);
    case DiskXml::Kind::block:
      return checkBlock(disk, out);
    case DiskXml::Kind::network:
      return add(out, disk, true, "a disk of the network, which is opened as the move begins");
    case DiskXml::Kind::volume:
      return add(out, disk, false,
                 fmt::format("there is no volume {} in a pool {} here", shown(disk.volume),
                             shown(disk.source)));
    case DiskXml::Kind::other:
      return add(out, disk, false, "a kind of disk that does not move");
  }
}

void DiskAdmission::checkFile(const DiskXml& disk, Admission& out) const {
  const auto path = shown(disk.source);
  if (!disk.read_only && !storageOf(disk).shared)
    return add(out, disk, false,
               copied_.empty()
                   ? fmt::format("{} is on storage of one host: allow disks to be copied", path)
                   : fmt::format("{} is on storage of this host alone, and is not copied: put it "
                                 "on storage that both hosts see",
                                 path));
  switch (sightOf(disk.source)) {
    case Sight::there:
      return add(out, disk, true, path + " is here");
    case Sight::absent:
      return add(out, disk, false, path + " is not here: mount its storage, or eject the medium");
    case Sight::hidden:
      return add(out, disk, false, hiddenWords(disk.source));
  }
}

void DiskAdmission::checkBlock(const DiskXml& disk, Admission& out) const {
  struct stat about;
  const auto seen = sight(stat(disk.source.c_str(), &about));
  if (seen == Sight::hidden) return add(out, disk, false, hiddenWords(disk.source));
  const bool there = seen == Sight::there && S_ISBLK(about.st_mode);
  add(out, disk, there,
      fmt::format("block device {} {}", shown(disk.source),
                  there ? "is here" : "is not here: connect it"));
}

void DiskAdmission::checkCopy(const DiskXml& disk, const DiskCopy& copied, Admission& out) {
  const auto path = shown(disk.source);
  if (disk.kind != DiskXml::Kind::file)
    return add(
        out, disk, false,
        fmt::format("{} is no file: what it holds here would be overwritten by the copy", path));
  const auto folder = std::filesystem::path(disk.source).parent_path().string();
  const bool pool = std::ranges::any_of(
      pools_, [&](const PoolXml& each) { return each.target == folder && each.type != "logical"; });
  if (!pool)
    return add(out, disk, false,
               fmt::format("{} is no active storage pool here: libvirt makes the copy only in one",
                           shown(folder)));
  const auto seen = sightOfName(disk.source);
  if (seen == Sight::there)
    return add(out, disk, false,
               path + " exists here already and would be overwritten: move it out of the way");
  if (seen == Sight::hidden || sightOf(folder) != Sight::there)
    return add(out, disk, false, hiddenWords(disk.source));
  out.copies.push_back(disk.source);
  out.checks.push_back(room(disk, copied, folder));
}

Check DiskAdmission::room(const DiskXml& disk, const DiskCopy& copied, const std::string& folder) {
  struct stat about{};
  std::ignore = stat(folder.c_str(), &about);
  const auto free = storageOfFolder(folder).free_bytes;
  if (copied.bytes == 0)
    return {nameOf(disk), false, "its source does not tell how large its copy may become"};
  auto& taken = taken_[about.st_dev];
  const auto before = taken;
  taken = sum(taken, copied.bytes);
  auto words = fmt::format("its copy may take {} bytes", copied.bytes);
  if (before > 0) words += fmt::format(", other disks of the VM take {}", before);
  words += fmt::format(", and {} are free in {}", free, shown(folder));
  const bool fits = taken <= free;
  if (!fits) words += ": make room, or choose another host";
  return {nameOf(disk), fits, std::move(words)};
}

}  // namespace virtseer::platform

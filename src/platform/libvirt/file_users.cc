#include "platform/libvirt/file_users.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <vector>

#include "platform/libvirt/bulk.h"
#include "platform/libvirt/errors.h"
#include "platform/libvirt/handles.h"
#include "platform/libvirt/survey.h"
#include "platform/libvirt/text_ptr.h"
#include "platform/libvirt/xml_text.h"

namespace virtseer::platform {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostVolumes = 20'000;

/// A file, and whether other paths lead to it.
class Sought {
 public:
  explicit Sought(const std::string& path)
      : path_(fs::path(path).lexically_normal()), known_(stat(path.c_str(), &about_) == 0) {}

  bool is(const fs::path& other) const {
    if (!other.is_absolute()) return false;
    if (other.lexically_normal() == path_) return true;
    struct stat about;
    return known_ && stat(other.c_str(), &about) == 0 && about.st_dev == about_.st_dev &&
           about.st_ino == about_.st_ino;
  }

 private:
  fs::path path_;
  struct stat about_{};
  bool known_;
};

/// Finds the file in what a domain's XML says, or only among what its disks are based on.
class Finder final : public pugi::xml_tree_walker {
 public:
  Finder(const Sought& sought, bool bases_only) : sought_(sought), bases_only_(bases_only) {}
  bool found() const { return found_; }

  bool for_each(pugi::xml_node& node) override {
    if (bases_only_ && !beneathBase(node)) return true;
    found_ = found_ || sought_.is(node.value());
    for (const auto& attribute : node.attributes())
      found_ = found_ || sought_.is(attribute.value());
    return !found_;
  }

 private:
  static bool beneathBase(pugi::xml_node node) {
    for (; node; node = node.parent())
      if (node.name() == std::string_view("backingStore")) return true;
    return false;
  }

  const Sought& sought_;
  const bool bases_only_;
  bool found_ = false;
};

/// nullopt: the XML cannot be read.
std::optional<bool> names(const Connection& connection, const Sought& sought, const char* xml,
                          bool bases_only) {
  pugi::xml_document document;
  const auto placement = xml ? parsePlacementXml(xml) : std::nullopt;
  if (!placement || !loadXml(document, xml)) return std::nullopt;
  auto domain = document.child("domain");
  // Any tool may write what it likes there.
  while (domain.remove_child("metadata")) {
  }
  Finder finder(sought, bases_only);
  domain.traverse(finder);
  const auto isVolume = [&](const DiskXml& disk) {
    return disk.kind == DiskXml::Kind::volume && sought.is(resolved(connection, disk).source);
  };
  return finder.found() || (!bases_only && std::ranges::any_of(placement->disks, isVolume));
}

bool isGone(const char* what) {
  return lastError(what, nullptr).code == Code::not_found;
}

std::string userAmongDomains(const Connection& connection, const Sought& sought, Needs needs) {
  const auto domains = listDomains(connection, 0);
  if (!domains) return "a VM that may be there: " + domains.error().message;
  for (const auto& domain : *domains) {
    const char* name = virDomainGetName(domain.get());
    const auto who = std::string("VM ") + (name ? name : "without a name");
    const bool idle = virDomainIsActive(domain.get()) == 0;
    std::vector<unsigned> views{0};
    if (!idle && virDomainIsPersistent(domain.get()) == 1) views.push_back(VIR_DOMAIN_XML_INACTIVE);
    for (const auto view : views) {
      const Text xml(virDomainGetXMLDesc(domain.get(), view));
      if (!xml && isGone("XML")) break;
      const auto named = names(connection, sought, xml.get(), idle && needs == Needs::unless_idle);
      if (!named) return who + ", whose definition cannot be read,";
      if (*named) return who;
    }
  }
  return {};
}

std::optional<std::vector<Volume>> volumesOf(virStoragePoolPtr pool) {
  virStorageVolPtr* list = nullptr;
  const int count = virStoragePoolListAllVolumes(pool, &list, 0);
  if (count < 0) return std::nullopt;
  std::vector<Volume> out;
  for (int i = 0; i < count; ++i) out.emplace_back(list[i]);
  std::free(list);
  return out;
}

bool isFileThere(const char* path) {
  struct stat about;
  return !path || lstat(path, &about) == 0 || errno != ENOENT;
}

std::string userAmongVolumes(const Sought& sought, virStoragePoolPtr pool, std::size_t& looked_at) {
  const auto volumes = volumesOf(pool);
  if (!volumes) return "a volume of a pool that cannot be listed";
  for (const auto& volume : *volumes) {
    if (++looked_at > kMostVolumes) return "one of more volumes than can be looked at";
    const Text path(virStorageVolGetPath(volume.get()));
    const Text xml(virStorageVolGetXMLDesc(volume.get(), 0));
    pugi::xml_document document;
    if (!xml || !path || !loadXml(document, xml.get())) {
      if (!isFileThere(path.get())) continue;
      return std::string("volume ") + (path ? path.get() : "") + ", which cannot be read,";
    }
    const fs::path base = document.child("volume").child("backingStore").child("path").text().get();
    if (!base.empty() && sought.is(fs::path(path.get()).parent_path() / base))
      return std::string("volume ") + path.get();
  }
  return {};
}

}  // namespace

std::string userOfFile(const Connection& connection, const std::string& path, Needs needs) {
  const Sought sought(path);
  auto user = userAmongDomains(connection, sought, needs);
  std::size_t looked_at = 0;
  for (const auto& pool : activePools(connection)) {
    if (!user.empty()) break;
    if (!isOfFiles(pool)) continue;
    const Pool handle(virStoragePoolLookupByName(connection.get(), pool.name.c_str()));
    if (handle) user = userAmongVolumes(sought, handle.get(), looked_at);
  }
  return user;
}

}  // namespace virtseer::platform

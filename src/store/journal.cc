#include "store/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <random>

namespace virtseer::store {
namespace {

constexpr std::size_t kNumberDigits = 10;
constexpr std::string_view kExtension = ".log";

/// A guest that guessed the marker could plant records in its own values, to be found where a real
/// record is damaged.
std::uint32_t randomMarker() {
  std::random_device source;
  return source();
}

std::optional<std::uint64_t> numberOf(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  if (name.size() != kNumberDigits + kExtension.size() || !name.ends_with(kExtension)) return {};
  std::uint64_t number = 0;
  const char* end = name.data() + kNumberDigits;
  const auto [at, error] = std::from_chars(name.data(), end, number);
  if (error != std::errc{} || at != end) return {};
  return number;
}

}  // namespace

Result<std::vector<Segment>> listSegments(const std::filesystem::path& directory) {
  std::vector<Segment> segments;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    const auto number = numberOf(at->path());
    if (!number) continue;
    std::error_code ignored;
    const auto size = at->file_size(ignored);
    segments.push_back({*number, at->path(), ignored ? 0 : size});
  }
  if (error) return fail(systemError(directory.string(), error.value()));
  std::ranges::sort(segments, {}, &Segment::number);
  return segments;
}

Journal::Journal(std::filesystem::path directory, const std::vector<Segment>& existing,
                 Options options)
    : directory_(std::move(directory)), options_(options) {
  for (const Segment& segment : existing) {
    segments_[segment.number].bytes = segment.bytes;
    bytes_ += segment.bytes;
    next_ = segment.number + 1;
  }
}

std::filesystem::path Journal::pathOf(std::uint64_t number) const {
  return directory_ / fmt::format("{:0{}}{}", number, kNumberDigits, kExtension);
}

Result<std::uint64_t> Journal::begin(std::int64_t now_ms) {
  if (file_.open() && written_ >= options_.segment_bytes) {
    if (auto synced = sync(); !synced) return fail(synced.error());
    file_.reset();
  }
  buffer_.clear();
  if (!file_.open()) {
    if (auto opened = open(now_ms); !opened) return fail(opened.error());
  }
  return current_;
}

Result<void> Journal::open(std::int64_t now_ms) {
  const auto path = pathOf(next_);
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640));
  if (!file.open()) return fail(systemError(path.string(), errno));
  const SegmentHeader header{randomMarker(), next_, now_ms};
  auto made = writeAll(file.get(), encodeSegmentHeader(header), path.string());
  if (made) made = syncDirectory(directory_);
  if (!made) {
    ::unlink(path.c_str());
    return made;
  }
  file_ = std::move(file);
  current_ = next_++;
  written_ = kSegmentHeaderBytes;
  segments_[current_].bytes = written_;
  bytes_ += written_;
  dirty_ = true;
  encoder_.emplace(header.marker);
  return {};
}

void Journal::names(const StreamId& id, Column first, std::span<const SeriesName> names) {
  encoder_->names(id, first, names, buffer_);
}

void Journal::row(const StreamId& id, std::int64_t time, std::span<const double> values) {
  encoder_->row(id, time, values, buffer_);
}

Result<void> Journal::flush() {
  if (buffer_.empty()) return {};
  auto written = writeAll(file_.get(), buffer_, pathOf(current_).string());
  if (!written) {
    abandon();
    return written;
  }
  written_ += buffer_.size();
  bytes_ += buffer_.size();
  segments_[current_].bytes = written_;
  dirty_ = true;
  buffer_.clear();
  return {};
}

Result<void> Journal::sync() {
  if (!dirty_ || !file_.open()) return {};
  if (::fdatasync(file_.get()) != 0) {
    const int number = errno;
    abandon();
    return fail(systemError(pathOf(current_).string(), number));
  }
  dirty_ = false;
  return {};
}

void Journal::abandon() {
  // If this fails too, the reader stops at the torn record: none follows it.
  [[maybe_unused]] const int cut = ::ftruncate(file_.get(), static_cast<off_t>(written_));
  if (written_ <= kSegmentHeaderBytes && ::unlink(pathOf(current_).c_str()) == 0) {
    // An empty file each second while the disk is full would be a leak of its own.
    bytes_ -= segments_[current_].bytes;
    segments_.erase(current_);
    next_ = current_;
  }
  file_.reset();
  encoder_.reset();
  buffer_.clear();
  dirty_ = false;
}

Result<void> Journal::remove(std::uint64_t segment) {
  const auto known = segments_.find(segment);
  if (known == segments_.end() || (segment == current_ && file_.open())) return {};
  const auto path = pathOf(segment);
  if (known->second.damaged) {
    auto aside = path;
    aside += ".damaged";
    if (::rename(path.c_str(), aside.c_str()) != 0) return fail(systemError(path.string(), errno));
  } else if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return fail(systemError(path.string(), errno));
  }
  bytes_ -= known->second.bytes;
  segments_.erase(known);
  return {};
}

}  // namespace virtseer::store

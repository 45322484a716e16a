#include "platform/appliance_package.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "base/text.h"

namespace virtseer::platform {
namespace {

constexpr std::size_t kMaxKernelBytes = 128u << 20;
constexpr std::size_t kMaxModuleBytes = 32u << 20;
constexpr std::size_t kMaxListBytes = 4u << 20;
constexpr std::size_t kMaxTotalBytes = 256u << 20;
constexpr std::size_t kMaxEntries = 200'000;

struct Free {
  void operator()(archive* a) const { archive_read_free(a); }
};
using Reader = std::unique_ptr<archive, Free>;

std::unexpected<Error> failed(archive* a, std::string_view what) {
  const char* why = archive_error_string(a);
  return fail(Code::corrupt, fmt::format("{}: {}", what, why ? printable(why) : "not readable"));
}

/// Only what libarchive does by itself: filters that start programs stay off.
void supportCompression(archive* a) {
  archive_read_support_filter_gzip(a);
  archive_read_support_filter_xz(a);
  archive_read_support_filter_zstd(a);
  archive_read_support_filter_bzip2(a);
  archive_read_support_filter_lzma(a);
}

/// The rest of the current entry; fails beyond `limit`.
Result<std::string> entryBytes(archive* a, std::size_t limit, std::string_view what) {
  std::string bytes;
  char block[65536];
  for (;;) {
    const la_ssize_t got = archive_read_data(a, block, sizeof block);
    if (got < 0) return failed(a, what);
    if (got == 0) return bytes;
    if (bytes.size() + static_cast<std::size_t>(got) > limit)
      return fail(Code::corrupt, fmt::format("{}: larger than {} MiB", what, limit >> 20));
    bytes.append(block, static_cast<std::size_t>(got));
  }
}

Result<std::string> decompressed(const std::string& bytes, std::string_view what) {
  const Reader reader(archive_read_new());
  archive_read_support_format_raw(reader.get());
  supportCompression(reader.get());
  archive_entry* entry = nullptr;
  if (archive_read_open_memory(reader.get(), bytes.data(), bytes.size()) != ARCHIVE_OK ||
      archive_read_next_header(reader.get(), &entry) != ARCHIVE_OK)
    return failed(reader.get(), what);
  return entryBytes(reader.get(), kMaxModuleBytes, what);
}

bool isPlainName(std::string_view name) {
  return !name.empty() && name.size() <= 128 && name != "." && name != ".." &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("._+~-").contains(c);
         });
}

/// The last part of `path` without `.ko` and its compression; nullopt if it is no module.
std::optional<std::string_view> moduleOf(std::string_view path) {
  std::string_view file = path.substr(path.rfind('/') + 1);
  for (const std::string_view compression : {".xz", ".zst", ".gz"})
    if (file.ends_with(compression)) file.remove_suffix(compression.size());
  if (!file.ends_with(".ko")) return std::nullopt;
  file.remove_suffix(3);
  return isPlainName(file) ? std::optional(file) : std::nullopt;
}

/// What is gathered while the members of data.tar pass by.
struct Gathering {
  const std::set<std::string>& wanted;
  KernelFiles files;
  std::size_t total = 0;

  Result<std::string> take(archive* tar, std::size_t limit, std::string_view path) {
    auto bytes = entryBytes(tar, limit, printable(path));
    if (bytes) total += bytes->size();
    if (total > kMaxTotalBytes)
      return fail(Code::corrupt, "the package's kernel and modules are too large");
    return bytes;
  }

  Result<void> member(archive* tar, std::string_view path) {
    while (path.starts_with("./")) path.remove_prefix(2);
    if (path.starts_with("usr/lib/")) path.remove_prefix(4);
    constexpr std::string_view kKernel = "boot/vmlinuz-";
    if (path.starts_with(kKernel)) return kernel(tar, path, path.substr(kKernel.size()));
    if (!path.starts_with("lib/modules/")) return {};
    if (path.ends_with("/modules.builtin")) return builtIn(tar, path);
    const auto name = moduleOf(path);
    if (!name || !wanted.contains(moduleName(*name))) return {};
    return module(tar, path, moduleName(*name));
  }

  Result<void> kernel(archive* tar, std::string_view path, std::string_view version) {
    if (!isPlainName(version))
      return fail(Code::corrupt, fmt::format("{}: odd name", printable(path)));
    if (!files.version.empty())
      return fail(Code::invalid, "the package holds more than one kernel");
    auto bytes = take(tar, kMaxKernelBytes, path);
    if (!bytes) return fail(bytes.error());
    files.version = version, files.vmlinuz = std::move(*bytes);
    return {};
  }

  Result<void> builtIn(archive* tar, std::string_view path) {
    auto list = take(tar, kMaxListBytes, path);
    if (!list) return fail(list.error());
    for (std::string_view rest = *list; !rest.empty();) {
      const auto end = std::min(rest.find('\n'), rest.size());
      if (const auto name = moduleOf(rest.substr(0, end))) files.built_in.insert(moduleName(*name));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return {};
  }

  Result<void> module(archive* tar, std::string_view path, std::string name) {
    auto bytes = take(tar, kMaxModuleBytes, path);
    if (bytes && !path.ends_with(".ko")) bytes = decompressed(*bytes, printable(path));
    if (!bytes) return fail(bytes.error());
    if (!files.modules.emplace(name, std::move(*bytes)).second)
      return fail(Code::corrupt, fmt::format("module {} occurs twice", name));
    return {};
  }
};

/// Feeds the bytes of the current entry of one archive to a second one.
struct Nested {
  archive* outer;
  char block[65536];

  static la_ssize_t read(archive*, void* self, const void** out) {
    auto& nested = *static_cast<Nested*>(self);
    *out = nested.block;
    return archive_read_data(nested.outer, nested.block, sizeof nested.block);
  }
};

Result<void> readTar(archive* deb, Gathering& gathering) {
  const auto nested = std::make_unique<Nested>(Nested{deb, {}});
  const Reader tar(archive_read_new());
  archive_read_support_format_tar(tar.get());
  supportCompression(tar.get());
  if (archive_read_open(tar.get(), nested.get(), nullptr, &Nested::read, nullptr) != ARCHIVE_OK)
    return failed(tar.get(), "data.tar");
  archive_entry* entry = nullptr;
  for (std::size_t count = 0;; ++count) {
    const int status = archive_read_next_header(tar.get(), &entry);
    if (status == ARCHIVE_EOF) return {};
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return failed(tar.get(), "data.tar");
    if (count >= kMaxEntries) return fail(Code::corrupt, "data.tar: too many entries");
    const char* path = archive_entry_pathname(entry);
    if (!path || archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry))
      continue;
    if (auto taken = gathering.member(tar.get(), path); !taken) return taken;
  }
}

}  // namespace

std::string moduleName(std::string_view name) {
  std::string out(name);
  std::ranges::replace(out, '-', '_');
  return out;
}

Result<KernelFiles> readKernelPackage(const std::filesystem::path& package,
                                      const std::set<std::string>& wanted) {
  const Reader deb(archive_read_new());
  archive_read_support_format_ar(deb.get());
  if (archive_read_open_filename(deb.get(), package.c_str(), 65536) != ARCHIVE_OK)
    return failed(deb.get(), package.string());
  archive_entry* entry = nullptr;
  int status = ARCHIVE_OK;
  while ((status = archive_read_next_header(deb.get(), &entry)) == ARCHIVE_OK) {
    const char* name = archive_entry_pathname(entry);
    if (!name || !std::string_view(name).starts_with("data.tar")) continue;
    Gathering gathering{wanted, {}, 0};
    if (auto read = readTar(deb.get(), gathering); !read)
      return fail(read.error().in(package.string()));
    if (gathering.files.version.empty())
      return fail(Code::not_found,
                  fmt::format("{}: holds no /boot/vmlinuz-VERSION", package.string()));
    return std::move(gathering.files);
  }
  if (status != ARCHIVE_EOF) return failed(deb.get(), package.string());
  return fail(Code::corrupt,
              fmt::format("{}: is no Debian package: it has no data.tar", package.string()));
}

}  // namespace virtseer::platform

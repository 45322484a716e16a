// Finds a function in a program or library: 64-bit ELF files of this machine's byte order. The file
// may hold anything; every place that it names is checked.
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include "ebpf/loaded.h"

namespace virtseer::ebpf {
namespace {

/// A file's bytes, mapped.
class Image {
 public:
  explicit Image(const std::string& path) {
    // What is no file, a pipe for one, must not be waited for.
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    struct stat status{};
    if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size <= 0)
      return;
    void* bytes = ::mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_PRIVATE,
                         fd.get(), 0);
    if (bytes == MAP_FAILED) return;
    bytes_ = {static_cast<const char*>(bytes), static_cast<std::size_t>(status.st_size)};
  }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
  ~Image() {
    if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
  }

  explicit operator bool() const { return !bytes_.empty(); }

  template <typename Record>
  std::optional<Record> at(std::uint64_t place) const {
    if (place > bytes_.size() || bytes_.size() - place < sizeof(Record)) return std::nullopt;
    Record record;
    std::memcpy(&record, bytes_.data() + place, sizeof record);
    return record;
  }
  /// Entry `index` of a table of `size` bytes each.
  template <typename Record>
  std::optional<Record> entry(std::uint64_t table, std::uint64_t index, std::uint64_t size) const {
    std::uint64_t place = 0;
    if (__builtin_mul_overflow(index, size, &place) || __builtin_add_overflow(place, table, &place))
      return std::nullopt;
    return at<Record>(place);
  }
  bool isTextAt(std::uint64_t place, std::string_view text) const {
    if (place > bytes_.size() || bytes_.size() - place <= text.size()) return false;
    return bytes_.substr(place, text.size()) == text && bytes_[place + text.size()] == 0;
  }

 private:
  std::string_view bytes_;
};

/// Where the byte at an address of the running program lies in the file.
std::uint64_t fileOffset(const Image& image, const Elf64_Ehdr& head, std::uint64_t address) {
  for (std::uint64_t i = 0; i < head.e_phnum; ++i) {
    const auto segment = image.entry<Elf64_Phdr>(head.e_phoff, i, head.e_phentsize);
    if (!segment) return 0;
    if (segment->p_type != PT_LOAD || (segment->p_flags & PF_X) == 0) continue;
    if (address < segment->p_vaddr || address - segment->p_vaddr >= segment->p_filesz) continue;
    return address - segment->p_vaddr + segment->p_offset;
  }
  return 0;
}

/// Symbols that are looked at in one file, whatever number of tables it claims to have.
constexpr std::uint64_t kMostSymbols = 1 << 24;

/// The address of `symbol` in one table of symbols, of which at most `left` are looked at; 0: it is
/// not there.
std::uint64_t addressIn(const Image& image, const Elf64_Shdr& table, const Elf64_Shdr& names,
                        std::string_view symbol, std::uint64_t& left) {
  for (std::uint64_t i = 0; i < table.sh_size / sizeof(Elf64_Sym) && left > 0; ++i, --left) {
    const auto entry = image.entry<Elf64_Sym>(table.sh_offset, i, sizeof(Elf64_Sym));
    if (!entry) return 0;
    if (ELF64_ST_TYPE(entry->st_info) != STT_FUNC || entry->st_value == 0) continue;
    std::uint64_t place = 0;
    if (__builtin_add_overflow(names.sh_offset, std::uint64_t{entry->st_name}, &place)) continue;
    if (image.isTextAt(place, symbol)) return entry->st_value;
  }
  return 0;
}

}  // namespace

std::uint64_t functionOffset(const std::string& path, const std::string& symbol,
                             std::string& reason) {
  const Image image(path);
  const auto head = image.at<Elf64_Ehdr>(0);
  if (!head) {
    reason = path + " cannot be read";
    return 0;
  }
  if (std::memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_ident[EI_CLASS] != ELFCLASS64) {
    reason = path + " is no 64-bit ELF file";
    return 0;
  }
  std::uint64_t left = kMostSymbols;
  for (std::uint64_t i = 0; i < head->e_shnum && !symbol.empty(); ++i) {
    const auto table = image.entry<Elf64_Shdr>(head->e_shoff, i, head->e_shentsize);
    if (!table || (table->sh_type != SHT_DYNSYM && table->sh_type != SHT_SYMTAB)) continue;
    const auto names = image.entry<Elf64_Shdr>(head->e_shoff, table->sh_link, head->e_shentsize);
    const std::uint64_t address = names ? addressIn(image, *table, *names, symbol, left) : 0;
    if (const std::uint64_t offset = address ? fileOffset(image, *head, address) : 0) return offset;
  }
  reason = path + " has no function " + symbol;
  return 0;
}

}  // namespace virtseer::ebpf

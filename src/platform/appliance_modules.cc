#include "platform/appliance_modules.h"

#include <elf.h>
#include <fmt/format.h>

#include <cstring>
#include <optional>
#include <set>

#include "base/text.h"
#include "platform/appliance_package.h"

namespace virtseer::platform {
namespace {

/// A structure that lies at `offset` of `bytes`; nullopt if it does not fit.
template <class T>
std::optional<T> at(std::string_view bytes, std::uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T out;
  std::memcpy(&out, bytes.data() + offset, sizeof out);
  return out;
}

std::optional<Elf64_Ehdr> header(std::string_view bytes) {
  const auto found = at<Elf64_Ehdr>(bytes, 0);
  const bool fits = found && std::memcmp(found->e_ident, ELFMAG, SELFMAG) == 0 &&
                    found->e_ident[EI_CLASS] == ELFCLASS64 &&
                    found->e_ident[EI_DATA] == ELFDATA2LSB;
  return fits ? found : std::nullopt;
}

std::optional<Elf64_Shdr> section(std::string_view bytes, const Elf64_Ehdr& elf,
                                  std::uint64_t index) {
  if (index >= elf.e_shnum || elf.e_shoff > bytes.size()) return std::nullopt;
  return at<Elf64_Shdr>(bytes, elf.e_shoff + index * sizeof(Elf64_Shdr));
}

std::string_view contents(std::string_view bytes, const Elf64_Shdr& s) {
  if (s.sh_type == SHT_NOBITS || s.sh_offset > bytes.size() ||
      bytes.size() - s.sh_offset < s.sh_size)
    return {};
  return bytes.substr(s.sh_offset, s.sh_size);
}

/// The zero-terminated text at `offset`; what there is of it.
std::string_view textAt(std::string_view bytes, std::uint64_t offset) {
  if (offset >= bytes.size()) return {};
  const std::string_view rest = bytes.substr(offset);
  return rest.substr(0, rest.find('\0'));
}

std::optional<std::string_view> modinfo(std::string_view bytes) {
  const auto elf = header(bytes);
  const auto names = elf ? section(bytes, *elf, elf->e_shstrndx) : std::nullopt;
  if (!names) return std::nullopt;
  const std::string_view texts = contents(bytes, *names);
  for (std::uint64_t i = 0; i < elf->e_shnum; ++i)
    if (const auto s = section(bytes, *elf, i); s && textAt(texts, s->sh_name) == ".modinfo")
      return contents(bytes, *s);
  return std::nullopt;
}

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    if (comma > 0) out.push_back(moduleName(list.substr(0, comma)));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return out;
}

/// Depth first, so that what is needed comes before what needs it.
class Ordering {
 public:
  explicit Ordering(const std::map<std::string, std::vector<std::string>>& depends)
      : depends_(depends) {}

  Result<void> visit(const std::string& name) {
    const auto module = depends_.find(name);
    if (module == depends_.end() || done_.contains(name)) return {};
    if (!open_.insert(name).second)
      return fail(Code::invalid, fmt::format("module {} depends on itself", printable(name)));
    for (const std::string& needed : module->second)
      if (auto visited = visit(needed); !visited) return visited;
    open_.erase(name);
    done_.insert(name);
    order.push_back(name);
    return {};
  }

  std::vector<std::string> order;

 private:
  const std::map<std::string, std::vector<std::string>>& depends_;
  std::set<std::string> done_, open_;
};

}  // namespace

Result<std::vector<std::string>> moduleDepends(std::string_view object) {
  const auto info = modinfo(object);
  if (!info) return fail(Code::corrupt, "is no kernel module: it has no .modinfo");
  constexpr std::string_view kDepends = "depends=";
  for (std::uint64_t offset = 0; offset < info->size();) {
    const std::string_view line = textAt(*info, offset);
    if (line.starts_with(kDepends)) return split(line.substr(kDepends.size()));
    offset += line.size() + 1;
  }
  return std::vector<std::string>{};
}

Result<std::vector<std::string>> loadOrder(
    const std::vector<std::string>& wanted,
    const std::map<std::string, std::vector<std::string>>& depends) {
  Ordering ordering(depends);
  for (const std::string& name : wanted)
    if (auto visited = ordering.visit(name); !visited) return fail(visited.error());
  for (const auto& [name, needed] : depends)
    if (auto visited = ordering.visit(name); !visited) return fail(visited.error());
  return std::move(ordering.order);
}

bool isStaticExecutable(std::string_view program) {
  const auto elf = header(program);
  if (!elf || elf->e_machine != EM_X86_64 || (elf->e_type != ET_EXEC && elf->e_type != ET_DYN))
    return false;
  for (std::uint64_t i = 0; i < elf->e_phnum; ++i) {
    if (elf->e_phoff > program.size()) return false;
    const auto segment = at<Elf64_Phdr>(program, elf->e_phoff + i * sizeof(Elf64_Phdr));
    if (!segment || segment->p_type == PT_INTERP) return false;
  }
  return elf->e_phnum > 0;
}

}  // namespace virtseer::platform

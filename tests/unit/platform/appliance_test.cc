#include "platform/appliance.h"

#include <elf.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>

#include "platform/appliance_initramfs.h"
#include "platform/appliance_modules.h"
#include "platform/appliance_package.h"

namespace virtseer::platform {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "virtseer-appliance-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Folder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void write(const fs::path& file, const std::string& bytes) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
}

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

template <class T>
void put(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

Elf64_Ehdr elfHeader(unsigned type) {
  Elf64_Ehdr out{};
  std::memcpy(out.e_ident, ELFMAG, SELFMAG);
  out.e_ident[EI_CLASS] = ELFCLASS64;
  out.e_ident[EI_DATA] = ELFDATA2LSB;
  out.e_type = static_cast<Elf64_Half>(type);
  out.e_machine = EM_X86_64;
  return out;
}

/// An object with nothing but the sections that name a module's dependencies.
std::string moduleObject(const std::string& depends) {
  const std::string info =
      "license=GPL" + std::string(1, '\0') + "depends=" + depends + std::string(1, '\0');
  const std::string names =
      std::string(1, '\0') + ".modinfo" + std::string(1, '\0') + ".shstrtab" + std::string(1, '\0');
  Elf64_Ehdr header = elfHeader(ET_REL);
  header.e_shoff = sizeof header + info.size() + names.size();
  header.e_shnum = 3;
  header.e_shstrndx = 2;
  std::string out;
  put(out, header);
  out += info + names;
  put(out, Elf64_Shdr{});
  Elf64_Shdr section{};
  section.sh_name = 1, section.sh_type = SHT_PROGBITS;
  section.sh_offset = sizeof header, section.sh_size = info.size();
  put(out, section);
  section.sh_name = 10, section.sh_type = SHT_STRTAB;
  section.sh_offset = sizeof header + info.size(), section.sh_size = names.size();
  put(out, section);
  return out;
}

std::string program(bool is_static) {
  Elf64_Ehdr header = elfHeader(ET_EXEC);
  header.e_phoff = sizeof header;
  header.e_phnum = 1;
  std::string out;
  put(out, header);
  Elf64_Phdr segment{};
  segment.p_type = is_static ? PT_LOAD : PT_INTERP;
  put(out, segment);
  return out + "the agent";
}

const std::map<std::string, std::string> kDepends{
    {"virtio_ring", ""},
    {"virtio", "virtio_ring"},
    {"virtio_pci_legacy_dev", ""},
    {"virtio_pci_modern_dev", ""},
    {"virtio_pci", "virtio,virtio_pci_modern_dev,virtio_ring,virtio_pci_legacy_dev"},
    {"virtio_blk", "virtio,virtio_ring"},
    {"failover", ""},
    {"net_failover", "failover"},
    {"virtio_net", "net_failover,virtio,virtio_ring"},
    {"virtio_console", "virtio,virtio_ring"},
    {"virtio_balloon", "virtio,virtio_ring"},
    {"virtio-rng", "virtio,virtio_ring,rng-core"},
    {"virtio_mem", "virtio,virtio_ring"},
    {"qemu_fw_cfg", ""},
    {"inet_diag", ""},
    {"tcp_diag", "inet_diag"},
    {"button", ""},
    {"evdev", ""},
};

/// What a kernel package of this test holds.
struct Content {
  std::string version = "6.1.0-test";
  std::map<std::string, std::string> modules = kDepends;
  std::string built_in = "kernel/drivers/char/hw_random/rng-core.ko\n";
  std::string compress;  ///< the program that compresses each module; empty: none
};

void run(const std::string& command) {
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);
}

fs::path package(const Folder& folder, const Content& content, const std::string& tar = "J") {
  const fs::path root = folder.path() / "root", modules = root / "lib/modules" / content.version;
  write(root / "boot" / ("vmlinuz-" + content.version), "the kernel");
  for (const auto& [name, depends] : content.modules) {
    const fs::path file = modules / "kernel/drivers" / (name + ".ko");
    write(file, moduleObject(depends));
    if (!content.compress.empty()) run(content.compress + " -q " + file.string());
  }
  write(modules / "modules.builtin", content.built_in);
  write(folder.path() / "debian-binary", "2.0\n");
  const std::string name = tar == "J" ? "data.tar.xz" : "data.tar";
  run("cd " + folder.path().string() + " && tar -c" + (tar == "J" ? "J" : "") + "f " + name +
      " -C root . && ar rc kernel.deb debian-binary " + name);
  return folder.path() / "kernel.deb";
}

/// The names and bytes of a gzip'd newc archive, read by the letter of the format.
std::map<std::string, std::string> unpacked(const Folder& folder, const fs::path& archive) {
  const fs::path plain = folder.path() / "plain.cpio";
  run("gzip -dc " + archive.string() + " > " + plain.string());
  const std::string bytes = read(plain);
  std::map<std::string, std::string> out;
  const auto field = [&](std::size_t at, int index) {
    return std::stoul(bytes.substr(at + 6 + 8 * static_cast<std::size_t>(index), 8), nullptr, 16);
  };
  const auto aligned = [](std::size_t at) { return (at + 3) / 4 * 4; };
  for (std::size_t at = 0; bytes.substr(at, 6) == "070701";) {
    const std::size_t size = field(at, 6), name_size = field(at, 11);
    const std::string name = bytes.substr(at + 110, name_size - 1);
    const std::size_t data = aligned(at + 110 + name_size);
    if (name == "TRAILER!!!") break;
    out[name] = bytes.substr(data, size);
    if (name == "dev/console") {
      CHECK(field(at, 1) == (S_IFCHR | 0600));
      CHECK(field(at, 9) == 5);
      CHECK(field(at, 10) == 1);
    }
    at = aligned(data + size);
  }
  return out;
}

struct Built {
  Folder folder;
  Result<ApplianceReport> report = fail(Code::failed, "not built");

  explicit Built(const Content& content, const std::string& tar = "J") {
    const auto deb = package(folder, content, tar);
    write(folder.path() / "agent", program(true));
    report = buildAppliance({deb, folder.path() / "agent", folder.path() / "out"});
  }
};

}  // namespace

TEST_CASE("the appliance holds the kernel, the agent and the modules in load order",
          "[appliance]") {
  Content content;
  content.modules["unwanted"] = "";
  const Built built(content);
  REQUIRE(built.report.has_value());
  CHECK(built.report->kernel_version == "6.1.0-test");
  CHECK(read(built.report->vmlinuz) == "the kernel");
  auto files = unpacked(built.folder, built.report->initramfs);
  CHECK(files["init"] == program(true));
  CHECK(files["virtseer-agent"] == "init");
  for (const char* path : {"proc", "sys", "dev", "tmp", "run", "data", "lib/modules"})
    CHECK(files.contains(path));
  CHECK_FALSE(files.contains("lib/modules/unwanted.ko"));
  const std::string order = files["lib/modules/order"];
  const auto place = [&](const std::string& name) {
    return order.find("/lib/modules/" + name + ".ko\n");
  };
  for (const auto& [name, depends] : kDepends) {
    INFO(name);
    REQUIRE(place(moduleName(name)) != std::string::npos);
    CHECK(files["lib/modules/" + moduleName(name) + ".ko"] == moduleObject(depends));
  }
  CHECK(place("virtio_ring") < place("virtio"));
  CHECK(place("virtio_pci_modern_dev") < place("virtio_pci"));
  CHECK(place("failover") < place("net_failover"));
  CHECK(place("net_failover") < place("virtio_net"));
  CHECK(place("inet_diag") < place("tcp_diag"));
}

TEST_CASE("the files are readable by all and no temporary one is left", "[appliance]") {
  const Built built({});
  REQUIRE(built.report.has_value());
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(built.folder.path() / "out")) {
    struct stat status{};
    REQUIRE(::stat(entry.path().c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0644);
    ++count;
  }
  CHECK(count == 2);
}

TEST_CASE("the same input gives the same initramfs", "[appliance]") {
  const Built first({}), second({});
  REQUIRE(first.report.has_value());
  REQUIRE(second.report.has_value());
  CHECK(read(first.report->initramfs) == read(second.report->initramfs));
}

TEST_CASE("compressed modules come out decompressed", "[appliance]") {
  Content content;
  content.compress = "xz";
  const Built built(content, "");
  REQUIRE(built.report.has_value());
  CHECK(unpacked(built.folder, built.report->initramfs)["lib/modules/virtio.ko"] ==
        moduleObject("virtio_ring"));
}

TEST_CASE("a module that a wanted one depends on is taken too", "[appliance]") {
  Content content;
  content.modules["virtio-rng"] = "virtio,rng-core";
  content.modules["rng-core"] = "deep";
  content.modules["deep"] = "";
  content.built_in.clear();
  const Built built(content);
  REQUIRE(built.report.has_value());
  const auto& order = built.report->modules;
  const auto place = [&](const char* name) {
    return std::ranges::find(order, name) - order.begin();
  };
  CHECK(place("deep") < place("rng_core"));
  CHECK(place("rng_core") < place("virtio_rng"));
}

TEST_CASE("a needed module may be part of the kernel, but not missing", "[appliance]") {
  Content content;
  content.modules.erase("virtio_mem");
  const Built missing(content);
  REQUIRE_FALSE(missing.report.has_value());
  CHECK(missing.report.error().message.find("virtio_mem") != std::string::npos);
  CHECK_FALSE(fs::exists(missing.folder.path() / "out"));

  content.built_in += "kernel/drivers/virtio/virtio_mem.ko\n";
  const Built within(content);
  REQUIRE(within.report.has_value());
  CHECK(within.report->built_in == std::vector<std::string>{"virtio_mem"});
}

TEST_CASE("what is no kernel package is refused with its name", "[appliance]") {
  const Folder folder;
  write(folder.path() / "agent", program(true));
  const auto build = [&](const fs::path& deb) {
    return buildAppliance({deb, folder.path() / "agent", folder.path() / "out"});
  };
  CHECK_FALSE(build(folder.path() / "none.deb").has_value());
  write(folder.path() / "odd.deb", "not an archive");
  CHECK_FALSE(build(folder.path() / "odd.deb").has_value());
  write(folder.path() / "data.tar", std::string(4096, 'x'));
  run("cd " + folder.path().string() + " && ar rc broken.deb data.tar");
  CHECK_FALSE(build(folder.path() / "broken.deb").has_value());
  CHECK_FALSE(fs::exists(folder.path() / "out"));
}

TEST_CASE("a truncated package is an error, not half an appliance", "[appliance]") {
  const Folder folder;
  write(folder.path() / "agent", program(true));
  const auto deb = package(folder, {});
  fs::resize_file(deb, fs::file_size(deb) / 2);
  CHECK_FALSE(buildAppliance({deb, folder.path() / "agent", folder.path() / "out"}).has_value());
}

TEST_CASE("paths of the package that lead elsewhere are never followed", "[appliance]") {
  const Folder folder;
  write(folder.path() / "agent", program(true));
  write(folder.path() / "evil" / "boot" / "vmlinuz-x", "an evil kernel");
  const auto deb = package(folder, {});
  run("cd " + folder.path().string() +
      " && tar -cf data.tar --transform 's,^boot/vmlinuz-x$,boot/vmlinuz-../../../etc/x,' -C evil "
      "boot/vmlinuz-x"
      " && rm kernel.deb && ar rc kernel.deb debian-binary data.tar");
  const auto report = buildAppliance({deb, folder.path() / "agent", folder.path() / "out"});
  REQUIRE_FALSE(report.has_value());
  CHECK(report.error().code == Code::corrupt);
}

TEST_CASE("an agent that needs a loader is refused", "[appliance]") {
  CHECK(isStaticExecutable(program(true)));
  CHECK_FALSE(isStaticExecutable(program(false)));
  CHECK_FALSE(isStaticExecutable("#!/bin/sh\n"));
  CHECK_FALSE(isStaticExecutable(""));
  const std::string whole = program(true);
  CHECK_FALSE(isStaticExecutable(whole.substr(0, sizeof(Elf64_Ehdr) + 8)));
}

TEST_CASE("dependencies are read from the object and ordered", "[appliance]") {
  CHECK(*moduleDepends(moduleObject("virtio,rng-core")) ==
        std::vector<std::string>{"virtio", "rng_core"});
  CHECK(moduleDepends(moduleObject(""))->empty());
  CHECK_FALSE(moduleDepends("no object").has_value());
  const std::string whole = moduleObject("virtio");
  for (std::size_t size = 0; size < whole.size(); ++size)
    if (const auto cut = moduleDepends(std::string_view(whole).substr(0, size)))
      CHECK(cut->size() <= 1);

  CHECK(*loadOrder({"c", "a"}, {{"a", {}}, {"b", {"a"}}, {"c", {"b", "kernel"}}}) ==
        std::vector<std::string>{"a", "b", "c"});
  CHECK_FALSE(loadOrder({"a"}, {{"a", {"b"}}, {"b", {"a"}}}).has_value());
}

TEST_CASE("the kernel's package is found in what apt says", "[appliance]") {
  CHECK(*kernelPackageName(
            "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n") ==
        "linux-image-6.1.0-56-cloud-amd64");
  CHECK_FALSE(kernelPackageName("").has_value());
  CHECK_FALSE(kernelPackageName("x\n  Depends: linux-image-6;reboot\n").has_value());
  CHECK_FALSE(kernelPackageName("x\n  Depends: --option\n").has_value());
}

}  // namespace virtseer::platform

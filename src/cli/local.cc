#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/units.h"
#include "daemon/config.h"
#include "daemon/config_keys.h"
#include "platform/appliance.h"
#include "virtseer/api/exit_codes.h"

namespace virtseer::cli {
namespace {

constexpr const char* kInstalledAgent = "/usr/lib/virtseer/virtseer-agent";

std::string faultsText(const std::vector<ConfigFault>& faults) {
  std::string out;
  for (const ConfigFault& fault : faults) out += text(fault) + "\n";
  return out;
}

std::string faultsJson(const std::vector<ConfigFault>& faults) {
  auto items = nlohmann::json::array();
  for (const ConfigFault& fault : faults)
    items.push_back(
        {{"file", fault.file},
         {"line", fault.line == 0 ? nlohmann::json(nullptr) : nlohmann::json(fault.line)},
         {"key", fault.key.empty() ? nlohmann::json(nullptr) : nlohmann::json(fault.key)},
         {"message", fault.message}});
  const nlohmann::json body{{"items", std::move(items)}, {"next", nullptr}};
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

/// A folder that goes away with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code wrong;
    std::string pattern =
        (std::filesystem::temp_directory_path(wrong) / "virtseer-XXXXXX").string();
    if (!wrong && ::mkdtemp(pattern.data())) path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code wrong;
    if (!path_.empty()) std::filesystem::remove_all(path_, wrong);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::filesystem::path agentOf(const std::string& named) {
  if (!named.empty()) return named;
  std::error_code wrong;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", wrong);
  const auto beside = program.parent_path() / "virtseer-agent";
  return !wrong && std::filesystem::exists(beside, wrong) ? beside
                                                          : std::filesystem::path(kInstalledAgent);
}

std::string reportJson(const platform::ApplianceReport& report) {
  const nlohmann::json body{{"kernel_version", report.kernel_version},
                            {"vmlinuz", report.vmlinuz.string()},
                            {"vmlinuz_bytes", report.vmlinuz_bytes},
                            {"initramfs", report.initramfs.string()},
                            {"initramfs_bytes", report.initramfs_bytes},
                            {"agent_bytes", report.agent_bytes},
                            {"modules", report.modules},
                            {"built_in", report.built_in}};
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string reportText(const platform::ApplianceReport& report) {
  const auto size = [](std::uint64_t bytes) { return bytesText(static_cast<double>(bytes)); };
  std::string out;
  out += fmt::format("kernel     {} ({}) as {}\n", report.kernel_version,
                     size(report.vmlinuz_bytes), printable(report.vmlinuz.string()));
  out += fmt::format("initramfs  {} as {}\n", size(report.initramfs_bytes),
                     printable(report.initramfs.string()));
  out += fmt::format("agent      {}\n", size(report.agent_bytes));
  out += fmt::format("modules    {}, in this order:\n", report.modules.size());
  for (const std::string& module : report.modules) out += fmt::format("           {}\n", module);
  for (const std::string& module : report.built_in) out += fmt::format("built in   {}\n", module);
  return out;
}

Outcome failure(const Error& error) {
  const int code = error.code == Code::invalid ? api::kUsage : api::kFailed;
  return {code, "", fmt::format("virtseer: {}\n", printable(error.message))};
}

}  // namespace

Outcome checkConfig(const CheckConfig& command, Output output) {
  const auto loaded = loadConfig(command.file);
  const int code = loaded.faults.empty() ? api::kDone : api::kUsage;
  if (output == Output::json) return {code, faultsJson(loaded.faults), ""};
  if (loaded.faults.empty())
    return {code, fmt::format("{}: no faults\n", printable(command.file)), ""};
  return {code, "", faultsText(loaded.faults)};
}

Outcome showConfig(const ShowConfig& command, Output output) {
  const auto loaded = loadConfig(command.file);
  if (!loaded.faults.empty())
    return {api::kUsage, output == Output::json ? faultsJson(loaded.faults) : "",
            faultsText(loaded.faults)};
  if (output == Output::table) return {api::kDone, configFile(loaded.config, false), ""};
  auto items = nlohmann::json::array();
  for (const ConfigKey& key : configKeys())
    items.push_back({{"key", key.name},
                     {"value", tomlValue(key, loaded.config)},
                     {"default", tomlValue(key, Config{})}});
  for (const ConfigList& list : configLists())
    for (std::size_t table = 0; table < list.size(loaded.config); ++table)
      for (const ConfigKey& key : list.keys)
        if (isSaid(key, loaded.config, table))
          items.push_back({{"key", fmt::format("{}[{}].{}", list.name, table,
                                               key.name.substr(list.name.size() + 1))},
                           {"value", tomlValue(key, loaded.config, table)},
                           {"default", nullptr}});
  return {api::kDone, nlohmann::json{{"items", std::move(items)}, {"next", nullptr}}.dump() + "\n",
          ""};
}

Outcome buildAppliance(const BuildAppliance& command, Output output) {
  const TemporaryFolder folder;
  if (folder.path().empty())
    return {api::kFailed, "", "virtseer: cannot make a temporary folder\n"};
  std::filesystem::path package = command.kernel;
  if (package.empty()) {
    auto downloaded = platform::downloadKernelPackage(folder.path());
    if (!downloaded) return failure(downloaded.error());
    package = std::move(*downloaded);
  }
  const auto report =
      platform::buildAppliance({package, agentOf(command.agent), command.directory});
  if (!report) return failure(report.error());
  return {api::kDone, output == Output::json ? reportJson(*report) : reportText(*report), ""};
}

}  // namespace virtseer::cli

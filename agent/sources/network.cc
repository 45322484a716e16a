#include <string>

#include "agent/devices.h"
#include "agent/scan.h"
#include "agent/source.h"

namespace virtseer::agent {
namespace {

/// The columns of /proc/net/dev that are told, by their place after the interface's name.
struct Statistic {
  std::size_t place;
  std::string_view metric;
};

constexpr std::array<Statistic, 8> kStatistics{{
    {0, "guest_network_receive_bytes_total"},
    {1, "guest_network_receive_packets_total"},
    {2, "guest_network_receive_errors_total"},
    {3, "guest_network_receive_drops_total"},
    {8, "guest_network_transmit_bytes_total"},
    {9, "guest_network_transmit_packets_total"},
    {10, "guest_network_transmit_errors_total"},
    {11, "guest_network_transmit_drops_total"},
}};

/// Interfaces that can ever get columns: those of a device of their own, and those made of software
/// alone (bridges, tunnels, ends of containers), which come and go.
constexpr std::size_t kMaxReal = 16, kMaxVirtual = 48;

class NetworkSource : public Source {
 public:
  std::string_view name() const override { return "network"; }

  std::expected<void, std::string> open(const std::string& root) override {
    root_ = root;
    return dev_.open(root + "/proc/net/dev");
  }

  void read(Round& round) override {
    const auto content = dev_.read(round.scratch);
    if (!content) return;
    std::string_view rest = *content;
    while (!rest.empty()) {
      std::string_view line = takeLine(rest);
      // An alias such as "eth0:1" holds a colon itself; the head of the table holds none.
      const auto colon = line.rfind(':');
      if (colon == line.npos) continue;
      std::string_view before = line.substr(0, colon);
      const std::string_view device = takeWord(before);
      if (!device.empty() && device != "lo") readDevice(round, device, line.substr(colon + 1));
    }
  }

  std::string trouble() const override {
    const std::size_t refused = real_.refused() + virtual_.refused();
    if (refused == 0) return {};
    return std::to_string(refused) + " interfaces beyond the first are not told";
  }

 private:
  using Interfaces = Devices<kStatistics.size()>;

  bool admit(std::string_view name) {
    const bool real = exists(root_ + "/sys/class/net/" + std::string(name) + "/device");
    return (real ? real_ : virtual_).take();
  }

  void readDevice(Round& round, std::string_view name, std::string_view values) {
    Interfaces::Device* device =
        interfaces_.find(name, [&](std::string_view text) { return admit(text); });
    if (device == nullptr || !device->wanted) return;
    std::size_t next = 0;
    for (std::size_t place = 0; next < kStatistics.size(); ++place) {
      const auto value = takeNumber(values);
      if (!value) return;
      if (kStatistics[next].place != place) continue;
      Column& column = device->columns[next];
      if (column == kNoColumn)
        column = round.columns.add(kStatistics[next].metric, {{"device", device->name}});
      round.row.set(column, static_cast<double>(*value));
      ++next;
    }
  }

  std::string root_;
  KernelFile dev_;
  Interfaces interfaces_;
  Places real_{kMaxReal}, virtual_{kMaxVirtual};
};

}  // namespace

SourcePointer makeNetworkSource() {
  return std::make_unique<NetworkSource>();
}

}  // namespace virtseer::agent

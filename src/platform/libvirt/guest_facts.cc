#include "platform/libvirt/guest_facts.h"

#include <libvirt/virterror.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

#include "base/text.h"
#include "platform/libvirt/bulk.h"
#include "platform/libvirt/errors.h"

namespace virtseer::platform {

namespace {

constexpr std::size_t kMaxWordBytes = 128;
constexpr std::uint32_t kMostVcpus = 65536;

std::string clean(std::string_view text) {
  return printable(text.substr(0, kMaxWordBytes));
}

/// "fs.3.used-bytes" in 3 and "used-bytes".
std::optional<std::pair<std::size_t, std::string_view>> indexed(std::string_view name,
                                                                std::string_view group) {
  if (!name.starts_with(group)) return std::nullopt;
  name.remove_prefix(group.size());
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  const auto rest = name.substr(static_cast<std::size_t>(end - name.data()));
  if (error != std::errc() || !rest.starts_with('.')) return std::nullopt;
  return std::pair(index, rest.substr(1));
}

std::optional<std::uint64_t> bytes(double number) {
  if (!(number >= 0) || number > 1e18) return std::nullopt;
  return static_cast<std::uint64_t>(number);
}

void takeFilesystem(std::size_t index, std::string_view key, const Field& field, GuestFacts& into) {
  if (index >= GuestFacts::kMostFilesystems) return;
  if (into.filesystems.size() <= index) into.filesystems.resize(index + 1);
  auto& filesystem = into.filesystems[index];
  if (key == "mountpoint") filesystem.mountpoint = clean(field.text);
  if (key == "fstype") filesystem.type = clean(field.text);
  if (key == "total-bytes") filesystem.total_bytes = bytes(field.number);
  if (key == "used-bytes") filesystem.used_bytes = bytes(field.number);
}

/// True if the agent said that it does not answer, or did not; anything else is about one command.
bool silent() {
  const int code = virGetLastErrorCode();
  return code == VIR_ERR_AGENT_UNRESPONSIVE || code == VIR_ERR_AGENT_UNSYNCED ||
         code == VIR_ERR_OPERATION_INVALID || code == VIR_ERR_OPERATION_TIMEOUT;
}

bool ask(virDomainPtr domain, unsigned types, GuestFacts& into) {
  virTypedParameterPtr values = nullptr;
  int count = 0;
  if (virDomainGetGuestInfo(domain, types, &values, &count, 0) < 0) return false;
  takeGuestFields(fieldsOf(values, count), into);
  virTypedParamsFree(values, count);
  return true;
}

void askVcpus(virDomainPtr domain, GuestFacts& into) {
  virTypedParameterPtr values = nullptr;
  unsigned count = 0;
  if (virDomainGetGuestVcpus(domain, &values, &count, 0) < 0) return;
  for (const auto& field : fieldsOf(values, static_cast<int>(count)))
    if (field.name == "online") into.vcpus_online = countOfList(field.text);
  virTypedParamsFree(values, static_cast<int>(count));
}

/// Half of the time that the question took is the error of what it brought.
void askClock(virDomainPtr domain, GuestFacts& into) {
  using std::chrono::system_clock;
  const auto begun = system_clock::now();
  long long seconds = 0;
  unsigned nanoseconds = 0;
  if (virDomainGetTime(domain, &seconds, &nanoseconds, 0) < 0) return;
  constexpr long long kMost = 1LL << 40;
  if (seconds < 0 || seconds > kMost || nanoseconds >= 1'000'000'000) return;
  const auto half = (system_clock::now() - begun) / 2;
  const auto here = std::chrono::duration_cast<Millis>((begun + half).time_since_epoch());
  into.clock_offset = Millis(seconds * 1000 + nanoseconds / 1'000'000) - here;
  into.clock_error = std::chrono::duration_cast<Millis>(half) + Millis(1);
}

#if LIBVIR_CHECK_VERSION(11, 2, 0)
constexpr unsigned kLoad = VIR_DOMAIN_GUEST_INFO_LOAD;
#else
constexpr unsigned kLoad = 0;
#endif

}  // namespace

void takeGuestFields(std::span<const Field> fields, GuestFacts& into) {
  std::string name, version;
  for (const auto& field : fields) {
    if (field.name == "os.pretty-name") into.os = clean(field.text);
    if (field.name == "os.name") name = clean(field.text);
    if (field.name == "os.version") version = clean(field.text);
    if (field.name == "os.kernel-release") into.kernel = clean(field.text);
    if (field.name == "hostname") into.hostname = clean(field.text);
    if (field.name == "disks.count" && field.number >= 0 && field.number < 1e6)
      into.disks = static_cast<std::uint32_t>(field.number);
    if (field.name == "load.1m" && std::isfinite(field.number)) into.load1 = field.number;
    if (const auto filesystem = indexed(field.name, "fs."))
      takeFilesystem(filesystem->first, filesystem->second, field, into);
  }
  if (into.os.empty() && !name.empty()) into.os = version.empty() ? name : name + " " + version;
  // What has no place has no name.
  std::erase_if(into.filesystems, [](const auto& each) { return each.mountpoint.empty(); });
}

std::optional<std::uint32_t> countOfList(std::string_view list) {
  std::uint32_t count = 0;
  while (!list.empty()) {
    const auto part = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), part.size() + 1));
    std::uint32_t first = 0, last = 0;
    const char* const end = part.data() + part.size();
    auto read = std::from_chars(part.data(), end, first);
    if (read.ec != std::errc()) return std::nullopt;
    last = first;
    if (read.ptr != end && *read.ptr == '-') read = std::from_chars(read.ptr + 1, end, last);
    if (read.ec != std::errc() || read.ptr != end || last < first || last >= kMostVcpus)
      return std::nullopt;
    count += last - first + 1;
    if (count > kMostVcpus) return std::nullopt;
  }
  return count;
}

Result<GuestFacts> guestFactsOf(const Connection& connection, const Uuid& vm,
                                std::chrono::seconds within) {
  const auto domain = findDomain(connection, vm);
  if (!domain) return fail(domain.error());
  const auto raw = domain->get();
  // Without it a guest that reads and never answers holds the call for ever. Drivers whose agents
  // are made up have no such bound.
  if (virDomainAgentSetResponseTimeout(raw, static_cast<int>(within.count()), 0) < 0 &&
      !lastErrorIsUnsupported())
    return fail(lastError("qemu-guest-agent", connection.get()));
  GuestFacts out;
  bool any = false;
  for (const unsigned types :
       {unsigned{VIR_DOMAIN_GUEST_INFO_OS}, unsigned{VIR_DOMAIN_GUEST_INFO_HOSTNAME},
        unsigned{VIR_DOMAIN_GUEST_INFO_FILESYSTEM}, unsigned{VIR_DOMAIN_GUEST_INFO_DISKS}, kLoad}) {
    if (types == 0) continue;
    const bool told = ask(raw, types, out);
    any |= told;
    if (told || !silent()) continue;
    const bool unresponsive = virGetLastErrorCode() != VIR_ERR_OPERATION_TIMEOUT;
    auto error = lastError("qemu-guest-agent", connection.get());
    if (unresponsive && error.code == Code::failed) error.code = Code::busy;
    return fail(std::move(error));
  }
  if (!any) return fail(lastError("qemu-guest-agent", connection.get()));
  askVcpus(raw, out);
  askClock(raw, out);
  return out;
}

Result<void> beginDirtyRate(const Connection& connection, const Uuid& vm,
                            std::chrono::seconds span) {
  const auto domain = findDomain(connection, vm);
  if (!domain) return fail(domain.error());
  if (virDomainStartDirtyRateCalc(domain->get(), static_cast<int>(span.count()),
                                  VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING) < 0)
    return fail(lastError("measure how fast it writes its memory", connection.get()));
  return {};
}

Result<std::optional<double>> dirtyRateOf(const Connection& connection, const Uuid& vm) {
  const auto domain = findDomain(connection, vm);
  if (!domain) return fail(domain.error());
  const auto bulk = BulkStatistics::of(connection, domain->get(), VIR_DOMAIN_STATS_DIRTYRATE);
  if (!bulk) return fail(bulk.error());
  for (const auto* record : bulk->records()) {
    const auto fields = fieldsOf(*record);
    const double* status = findField(fields, "dirtyrate.calc_status");
    const double* rate = findField(fields, "dirtyrate.megabytes_per_second");
    constexpr double kMebibyte = 1024 * 1024;  // QEMU shifts bytes by 20 (migration/dirtyrate.c)
    if (status && rate && static_cast<int>(*status) == VIR_DOMAIN_DIRTYRATE_MEASURED && *rate >= 0)
      return *rate * kMebibyte;
  }
  return std::optional<double>();
}

}  // namespace virtseer::platform

#include <algorithm>
#include <limits>

#include "predict/predictor.h"

namespace virtseer::predict {
namespace {

// All: "vspp", version, step ms (i64), horizons (u32 count, i64 ms each), pools per horizon and
// resource (level, peak), VMs (u32 count, each u32 length and a VM).
// VM: "vspv", version, UUID, step ms (i64), u8 count of resources, each: u8 resource, f64 bound or
// NaN, u8 count of tracks, each: i64 horizon ms, u32 length, track.
constexpr std::string_view kAll = "vspp", kVm = "vspv";
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMostBytesOfVm = 8 << 20;

Result<> head(ByteReader& in, std::string_view magic) {
  if (in.raw(magic.size()) != magic) return fail(Code::corrupt, "not the state of a predictor");
  if (const auto version = in.take<std::uint8_t>(); in.ok() && version != kVersion)
    return fail(Code::unsupported, "state of a predictor of another version");
  return {};
}

void writePart(ByteWriter& out, std::string_view part) {
  out.put(static_cast<std::uint32_t>(part.size()));
  out.raw(part);
}

std::string_view readPart(ByteReader& in) {
  return in.raw(in.count(1, kMostBytesOfVm));
}

}  // namespace

std::string Predictor::serialise(History history) const {
  std::string bytes;
  ByteWriter out(bytes);
  out.raw(kAll);
  out.put(kVersion);
  out.put(static_cast<std::int64_t>(options_.step.count()));
  out.put(static_cast<std::uint32_t>(horizons_.size()));
  for (const auto& horizon : horizons_) {
    out.put(static_cast<std::int64_t>(horizon.length().count()));
    for (std::size_t r = 0; r < kResources; ++r) {
      horizon.pools(static_cast<Resource>(r)).level.write(out);
      horizon.pools(static_cast<Resource>(r)).peak.write(out);
    }
  }
  out.put(static_cast<std::uint32_t>(vms_.size()));
  for (const auto& entry : vms_) writePart(out, serialise(entry.first, history));
  return bytes;
}

Result<Predictor> Predictor::restore(PredictorOptions options, std::string_view bytes) {
  Predictor out(std::move(options));
  ByteReader in(bytes);
  if (auto fine = head(in, kAll); !fine) return fail(fine.error());
  in.take<std::int64_t>();
  const std::size_t horizons = in.count(sizeof(std::int64_t), 64);
  for (std::size_t h = 0; h < horizons; ++h) {
    Horizon unknown(Millis(1000), Millis(1000));
    const auto index = out.indexOf(Millis(in.take<std::int64_t>()));
    Horizon& horizon = index ? out.horizons_[*index] : unknown;
    for (std::size_t r = 0; r < kResources; ++r) {
      horizon.pools(static_cast<Resource>(r)).level.read(in);
      horizon.pools(static_cast<Resource>(r)).peak.read(in);
    }
  }
  const std::size_t vms = in.count(sizeof(std::uint32_t), 1 << 20);
  for (std::size_t v = 0; v < vms && in.ok(); ++v)
    if (auto adopted = out.adopt(readPart(in)); !adopted && adopted.error().code != Code::full)
      return fail(adopted.error());
  if (!in.ok() || in.left() > 0)
    return fail(Code::corrupt, "the state of the predictor is damaged");
  return out;
}

std::string Predictor::serialise(const Uuid& vm, History history) const {
  std::string bytes;
  const auto found = vms_.find(vm);
  if (found == vms_.end()) return bytes;
  ByteWriter out(bytes);
  out.raw(kVm);
  out.put(kVersion);
  for (const auto byte : vm.bytes) out.put(byte);
  out.put(static_cast<std::int64_t>(options_.step.count()));
  writeVm(out, found->second, history);
  return bytes;
}

void Predictor::writeVm(ByteWriter& out, const OneVm& vm, History history) const {
  const auto present = std::count_if(vm.begin(), vm.end(), [](const auto& one) { return !!one; });
  out.put(static_cast<std::uint8_t>(present));
  for (std::size_t r = 0; r < kResources; ++r) {
    if (!vm[r]) continue;
    out.put(static_cast<std::uint8_t>(r));
    out.put(vm[r]->bound.value_or(std::numeric_limits<double>::quiet_NaN()));
    out.put(static_cast<std::uint8_t>(vm[r]->tracks.size()));
    for (std::size_t h = 0; h < vm[r]->tracks.size(); ++h) {
      out.put(static_cast<std::int64_t>(horizons_[h].length().count()));
      std::string track;
      ByteWriter part(track);
      vm[r]->tracks[h].write(part, history == History::with);
      writePart(out, track);
    }
  }
}

Result<Uuid> Predictor::adopt(std::string_view bytes) {
  ByteReader in(bytes);
  if (auto fine = head(in, kVm); !fine) return fail(fine.error());
  Uuid uuid;
  for (auto& byte : uuid.bytes) byte = in.take<std::uint8_t>();
  OneVm vm;
  readVm(in, vm);
  if (!in.ok() || in.left() > 0)
    return fail(Code::corrupt, "the state of a VM's forecasts is damaged");
  if (!vms_.contains(uuid) && vms_.size() >= options_.max_vms)
    return fail(Code::full, "forecasts are kept for as many VMs as allowed");
  vms_.insert_or_assign(uuid, std::move(vm));
  return uuid;
}

void Predictor::readVm(ByteReader& in, OneVm& vm) const {
  const bool same_step = in.take<std::int64_t>() == options_.step.count();
  const auto resources = in.take<std::uint8_t>();
  for (std::size_t r = 0; r < resources && in.ok(); ++r) {
    const auto resource = in.take<std::uint8_t>();
    if (resource >= kResources || vm[resource]) return in.fail();
    auto& one = vm[resource].emplace(fresh());
    const auto bound = in.take<double>();
    if (bound >= 0) one.bound = bound;
    readTracks(in, one, same_step);
  }
}

void Predictor::readTracks(ByteReader& in, OneResource& resource, bool same_step) const {
  const auto tracks = in.take<std::uint8_t>();
  for (std::size_t t = 0; t < tracks && in.ok(); ++t) {
    const auto index = indexOf(Millis(in.take<std::int64_t>()));
    ByteReader part(readPart(in));
    if (!index || !in.ok()) continue;
    resource.tracks[*index].read(part, horizons_[*index], same_step);
    if (!part.ok() || part.left() > 0) in.fail();
  }
}

}  // namespace virtseer::predict

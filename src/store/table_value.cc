#include "store/table_value.h"

#include <zstd.h>

#include <memory>

#include "store/bytes.h"
#include "virtseer/echo/report_codec.h"

namespace virtseer::store {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kPlain = 0;
constexpr std::uint8_t kZstd = 1;
constexpr int kLevel = 3;
/// What is shorter gains nothing from being compressed.
constexpr std::size_t kWorthIt = 256;
/// A report's bytes on the wire are fewer than those of its numbers at their longest.
constexpr std::size_t kMaxPlainBytes = 16 * echo::kMaxReportBytes;

/// One of a thread, since making one costs more than what it compresses.
ZSTD_CCtx* context() {
  struct Free {
    void operator()(ZSTD_CCtx* made) const { ZSTD_freeCCtx(made); }
  };
  thread_local const std::unique_ptr<ZSTD_CCtx, Free> kept(ZSTD_createCCtx());
  return kept.get();
}

/// Empty where it does not get shorter.
std::string packed(std::string_view plain) {
  if (plain.size() < kWorthIt || context() == nullptr) return {};
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  const std::size_t size =
      ZSTD_compressCCtx(context(), out.data(), out.size(), plain.data(), plain.size(), kLevel);
  if (ZSTD_isError(size) != 0 || size >= plain.size()) return {};
  out.resize(size);
  return out;
}

std::optional<std::string> unpacked(std::string_view bytes, std::size_t length) {
  std::string out(length, '\0');
  const std::size_t size = ZSTD_decompress(out.data(), out.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(size) != 0 || size != length) return std::nullopt;
  return out;
}

std::optional<std::vector<echo::Table>> parsePlain(std::string_view plain) {
  echo::CborReader cbor(plain);
  echo::Report report;
  echo::detail::takeTables(cbor, report);
  if (!cbor.ok() || !cbor.atEnd()) return std::nullopt;
  return std::move(report.tables);
}

}  // namespace

std::string tablesValue(std::span<const echo::Table> tables) {
  std::string plain;
  echo::CborWriter cbor(plain);
  cbor.array(tables.size());
  for (const echo::Table& table : tables) echo::detail::put(cbor, table);
  const std::string shorter = packed(plain);
  std::string value;
  putU8(value, kVersion);
  putU8(value, shorter.empty() ? kPlain : kZstd);
  putVarint(value, plain.size());
  value += shorter.empty() ? plain : shorter;
  return value;
}

std::optional<std::vector<echo::Table>> parseTablesValue(std::string_view value) {
  ByteReader in(value);
  if (in.u8() != kVersion) return std::nullopt;
  const std::uint8_t packing = in.u8();
  const std::uint64_t length = in.varint();
  if (!in.ok() || length > kMaxPlainBytes) return std::nullopt;
  const std::string_view bytes = in.take(in.left());
  if (packing == kPlain) {
    return bytes.size() == length ? parsePlain(bytes) : std::nullopt;
  }
  if (packing != kZstd) return std::nullopt;
  const auto plain = unpacked(bytes, length);
  return plain ? parsePlain(*plain) : std::nullopt;
}

}  // namespace virtseer::store

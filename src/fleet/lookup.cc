#include "fleet/lookup.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <charconv>

#include "base/text.h"

namespace virtseer::fleet {

namespace asio = boost::asio;

namespace {

Result<Endpoints> resolve(const Address& address) {
  asio::io_context own;
  asio::ip::tcp::resolver resolver(own);
  boost::system::error_code error;
  const auto found = resolver.resolve(address.host, address.port, error);
  if (error) return fail(Code::unreachable, printable(error.message()));
  Endpoints out;
  for (const auto& entry : found) out.push_back(entry.endpoint());
  if (out.empty()) return fail(Code::unreachable, "the name has no address");
  return out;
}

std::uint16_t portOf(const Address& address) {
  std::uint16_t port = 0;
  std::from_chars(address.port.data(), address.port.data() + address.port.size(), port);
  return port;
}

}  // namespace

Millis left(Deadline deadline) {
  const auto rest = deadline - std::chrono::steady_clock::now();
  return std::max(Millis(1), std::chrono::duration_cast<Millis>(rest));
}

asio::awaitable<Result<Endpoints>> Lookup::find(Address address, Deadline deadline) {
  boost::system::error_code no_number;
  const auto number = asio::ip::make_address(address.host, no_number);
  if (!no_number) co_return Endpoints{{number, portOf(address)}};
  auto found = co_await pool_.run("looking up " + address.host, left(deadline),
                                  [address] { return resolve(address); });
  if (!found && found.error().code != Code::timeout)
    co_return fail(Code::unreachable, found.error().message);
  co_return found;
}

}  // namespace virtseer::fleet

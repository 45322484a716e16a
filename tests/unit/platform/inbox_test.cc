#include "platform/inbox.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <exception>
#include <memory>
#include <string>

using namespace virtseer;
using platform::Inbox;

namespace {

struct Bench {
  boost::asio::io_context loop;
  std::shared_ptr<Inbox> inbox = std::make_shared<Inbox>(loop.get_executor());

  Result<std::string> take() {
    std::optional<Result<std::string>> out;
    boost::asio::co_spawn(loop, Inbox::take(inbox),
                          [&](std::exception_ptr error, Result<std::string> bytes) {
                            CHECK_FALSE(error);
                            out = std::move(bytes);
                          });
    loop.restart();
    loop.poll();
    REQUIRE(out);
    return std::move(*out);
  }
};

}  // namespace

TEST_CASE("what a flood left in an inbox is handed out in bounded pieces, in order") {
  Bench bench;
  std::string all;
  for (int i = 0; i < 300'000; ++i) all.append(std::to_string(i));
  bench.inbox->push(std::string_view(all).substr(0, 1000));
  bench.inbox->push(std::string_view(all).substr(1000));
  std::string got;
  while (bench.inbox->unread() > 0) {
    const auto bytes = bench.take();
    REQUIRE(bytes);
    REQUIRE_FALSE(bytes->empty());
    REQUIRE(bytes->size() <= Inbox::kMaxTake);
    got += *bytes;
    if (got.size() + bench.inbox->unread() == all.size() && all.size() < 2'000'000) {
      all += "more that comes while it is read";
      bench.inbox->push("more that comes while it is read");
    }
  }
  CHECK(got == all);
}

TEST_CASE("an inbox that ended still hands out all it holds, then the reason") {
  Bench bench;
  bench.inbox->push(std::string(Inbox::kMaxTake + 1, 'x'));
  bench.inbox->end({Code::unreachable, "gone"});
  CHECK(bench.take()->size() == Inbox::kMaxTake);
  CHECK(bench.take()->size() == 1);
  CHECK(bench.take().error() == Error{Code::unreachable, "gone"});
}

#include "collect/accepted_socket.h"

#include <sys/socket.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>

namespace virtseer::collect {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kReadBytes = 16 * 1024;

}  // namespace

AcceptedSocket::AcceptedSocket(const asio::any_io_executor& loop, Descriptor fd) : socket_(loop) {
  boost::system::error_code failed;
  socket_.assign(fd.get(), failed);
  if (!failed) fd.release();
}

asio::awaitable<Result<void>> AcceptedSocket::waitFor(Attempt attempt) {
  using Socket = asio::posix::stream_descriptor;
  if (attempt.how == Attempt::How::ended) co_return fail(Code::unreachable, attempt.why);
  const auto what =
      attempt.how == Attempt::How::needs_input ? Socket::wait_read : Socket::wait_write;
  boost::system::error_code failed;
  co_await socket_.async_wait(what, asio::redirect_error(asio::use_awaitable, failed));
  if (failed) co_return fail(Code::unreachable, "the connection was closed");
  co_return Result<void>{};
}

asio::awaitable<Result<void>> AcceptedSocket::secure() {
  while (socket_.is_open()) {
    auto attempt = trySecure();
    if (attempt.how == Attempt::How::done) co_return Result<void>{};
    const auto waited = co_await waitFor(std::move(attempt));
    if (!waited) co_return fail(waited.error());
  }
  co_return fail(Code::unreachable, "the connection was closed");
}

asio::awaitable<Result<std::string>> AcceptedSocket::read() {
  while (socket_.is_open()) {
    std::string bytes(kReadBytes, '\0');
    auto attempt = tryRead(bytes.data(), bytes.size());
    if (attempt.how == Attempt::How::done) {
      bytes.resize(attempt.bytes);
      co_return bytes;
    }
    bytes = {};  // nothing is held while it waits
    const auto waited = co_await waitFor(std::move(attempt));
    if (!waited) co_return fail(waited.error());
  }
  co_return fail(Code::unreachable, "the connection was closed");
}

asio::awaitable<Result<void>> AcceptedSocket::write(std::string bytes) {
  std::size_t done = 0;
  while (socket_.is_open() && done < bytes.size()) {
    auto attempt = tryWrite(std::string_view(bytes).substr(done));
    if (attempt.how == Attempt::How::done) {
      done += attempt.bytes;
      continue;
    }
    const auto waited = co_await waitFor(std::move(attempt));
    if (!waited) co_return fail(waited.error());
  }
  if (done < bytes.size()) co_return fail(Code::unreachable, "the connection was closed");
  co_return Result<void>{};
}

void AcceptedSocket::close() {
  boost::system::error_code ignored;
  if (socket_.is_open()) socket_.close(ignored);
}

AcceptedSocket::Attempt AcceptedSocket::tryRead(char* into, std::size_t size) {
  const ssize_t count = ::recv(fd(), into, size, 0);
  if (count > 0) return {.bytes = static_cast<std::size_t>(count)};
  if (count == 0) return {Attempt::How::ended, 0, "the agent closed the connection"};
  if (errno == EAGAIN || errno == EINTR) return {Attempt::How::needs_input};
  return {Attempt::How::ended, 0, std::strerror(errno)};
}

AcceptedSocket::Attempt AcceptedSocket::tryWrite(std::string_view bytes) {
  const ssize_t count = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count >= 0) return {.bytes = static_cast<std::size_t>(count)};
  if (errno == EAGAIN || errno == EINTR) return {Attempt::How::needs_room};
  return {Attempt::How::ended, 0, std::strerror(errno)};
}

}  // namespace virtseer::collect

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "collect/accepted_socket.h"

namespace virtseer::collect {

namespace {

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Session = std::unique_ptr<SSL, decltype(&SSL_free)>;

/// The oldest error of this thread's queue, which is emptied.
std::string takeError() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason ? reason : "unknown error";
}

class TlsSocket final : public AcceptedSocket {
 public:
  TlsSocket(const boost::asio::any_io_executor& loop, Descriptor fd, Session session)
      : AcceptedSocket(loop, std::move(fd)), session_(std::move(session)) {}

 private:
  Attempt trySecure() override {
    ERR_clear_error();
    return outcome(SSL_accept(session_.get()), "the TLS handshake failed: ");
  }
  Attempt tryRead(char* into, std::size_t size) override {
    ERR_clear_error();
    return outcome(SSL_read(session_.get(), into, static_cast<int>(size)), "");
  }
  Attempt tryWrite(std::string_view bytes) override {
    ERR_clear_error();
    const auto size = std::min<std::size_t>(bytes.size(), SSL3_RT_MAX_PLAIN_LENGTH);
    return outcome(SSL_write(session_.get(), bytes.data(), static_cast<int>(size)), "");
  }

  Attempt outcome(int result, const char* context) {
    if (result > 0) return {.bytes = static_cast<std::size_t>(result)};
    switch (SSL_get_error(session_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return {Attempt::How::needs_input};
      case SSL_ERROR_WANT_WRITE:
        return {Attempt::How::needs_room};
      case SSL_ERROR_ZERO_RETURN:
        return {Attempt::How::ended, 0, "the agent closed the connection"};
      case SSL_ERROR_SYSCALL:
        return {Attempt::How::ended, 0,
                context + std::string(errno != 0 ? std::strerror(errno)
                                                 : "the agent closed the connection")};
      default:
        return {Attempt::How::ended, 0, context + takeError()};
    }
  }

  Session session_;
};

}  // namespace

class TlsIdentity {
 public:
  explicit TlsIdentity(Context context) : context_(std::move(context)) {}
  SSL_CTX* get() const { return context_.get(); }

 private:
  Context context_;
};

Result<std::shared_ptr<const TlsIdentity>> loadTlsIdentity(const std::filesystem::path& certificate,
                                                           const std::filesystem::path& key) {
  ERR_clear_error();
  Context context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return fail(Code::failed, "TLS: " + takeError());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                         SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Nothing is kept for a client that may never come back, and little for one that is silent.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Nobody is there to be asked for a passphrase.
  SSL_CTX_set_default_passwd_cb(context.get(), [](char*, int, int, void*) noexcept { return 0; });
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) != 1)
    return fail(Code::invalid,
                certificate.string() + ": no certificate can be read from it: " + takeError());
  if (SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1)
    return fail(Code::invalid, key.string() + ": no key of " + certificate.string() +
                                   " can be read from it: " + takeError());
  return std::make_shared<const TlsIdentity>(std::move(context));
}

Result<std::unique_ptr<AcceptedSocket>> tlsSocket(const boost::asio::any_io_executor& loop,
                                                  Descriptor fd, const TlsIdentity& identity) {
  Session session(SSL_new(identity.get()), SSL_free);
  if (!session || SSL_set_fd(session.get(), fd.get()) != 1)
    return fail(Code::failed, "TLS: " + takeError());
  return std::make_unique<TlsSocket>(loop, std::move(fd), std::move(session));
}

}  // namespace virtseer::collect

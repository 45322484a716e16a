#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>

#include "agent/server_port.h"

namespace virtseer::agent {
namespace {

/// Forward secrecy and authenticated encryption alone.
constexpr int kCipherSuites[] = {
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0,
};

int randomBytes(void*, unsigned char* into, std::size_t size) noexcept {
  while (size > 0) {
    const ssize_t count = ::getrandom(into, size, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return -1;
    into += count;
    size -= static_cast<std::size_t>(count);
  }
  return 0;
}

const char* whyUntrusted(std::uint32_t flags) {
  if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0)
    return "its certificate is not signed by one in server_ca";
  if ((flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0)
    return "its certificate names another host: see server_name";
  if ((flags & MBEDTLS_X509_BADCERT_EXPIRED) != 0)
    return "its certificate has expired, or the clock of this guest is ahead";
  if ((flags & MBEDTLS_X509_BADCERT_FUTURE) != 0)
    return "its certificate is not valid yet, or the clock of this guest is behind";
  if ((flags & (MBEDTLS_X509_BADCERT_BAD_KEY | MBEDTLS_X509_BADCERT_BAD_MD |
                MBEDTLS_X509_BADCERT_BAD_PK)) != 0)
    return "its certificate uses weak keys or hashes";
  return "its certificate is not for a server";
}

/// Whether the certificate names the address. The library itself compares host names alone.
bool namesAddress(const mbedtls_x509_crt& certificate, const IpAddress& address) {
  constexpr int kIpAddressTag = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7;
  for (const auto* name = &certificate.subject_alt_names; name != nullptr; name = name->next)
    if (name->buf.tag == kIpAddressTag && name->buf.len == address.size &&
        std::memcmp(name->buf.p, address.bytes, address.size) == 0)
      return true;
  return false;
}

class TlsPort final : public ServerPort {
 public:
  TlsPort(Descriptor connecting, std::string name, std::string login, const std::string& host)
      : ServerPort(std::move(connecting), std::move(name), std::move(login)),
        host_(host),
        address_(parseIpAddress(host)) {
    mbedtls_x509_crt_init(&authorities_);
    mbedtls_ssl_config_init(&config_);
    mbedtls_ssl_init(&ssl_);
  }
  ~TlsPort() override {
    mbedtls_ssl_free(&ssl_);
    mbedtls_ssl_config_free(&config_);
    mbedtls_x509_crt_free(&authorities_);
  }

  /// Failure: why it cannot begin.
  std::expected<void, std::string> setUp(const std::string& authorities) {
    // The parser takes the final NUL for the mark of PEM.
    const auto* pem = reinterpret_cast<const unsigned char*>(authorities.c_str());
    if (mbedtls_x509_crt_parse(&authorities_, pem, authorities.size() + 1) != 0)
      return std::unexpected("server_ca holds something else than certificates in PEM");
    if (mbedtls_ssl_config_defaults(&config_, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0)
      return std::unexpected("no memory for TLS");
    mbedtls_ssl_conf_min_version(&config_, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_ciphersuites(&config_, kCipherSuites);
    mbedtls_ssl_conf_cert_profile(&config_, &mbedtls_x509_crt_profile_next);
    mbedtls_ssl_conf_authmode(&config_, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&config_, &authorities_, nullptr);
    mbedtls_ssl_conf_rng(&config_, randomBytes, nullptr);
    mbedtls_ssl_conf_verify(&config_, checkAddress, this);
    mbedtls_ssl_conf_session_tickets(&config_, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    if (mbedtls_ssl_setup(&ssl_, &config_) != 0 ||
        (!address_ && mbedtls_ssl_set_hostname(&ssl_, host_.c_str()) != 0))
      return std::unexpected("no memory for TLS");
    mbedtls_ssl_set_bio(&ssl_, this, give, take, nullptr);
    return {};
  }

 private:
  Step secure() override {
    const int result = mbedtls_ssl_handshake(&ssl_);
    if (result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE)
      return Step::later;
    if (result != 0) {
      tellFault(result);
      return Step::failed;
    }
    mbedtls_ssl_conf_ca_chain(&config_, nullptr, nullptr);
    mbedtls_x509_crt_free(&authorities_);
    return Step::done;
  }

  /// The library never waits for the socket: what it makes of `bytes` is behind out() at once.
  std::size_t seal(std::string_view bytes) override {
    const int result =
        mbedtls_ssl_write(&ssl_, reinterpret_cast<const unsigned char*>(bytes.data()),
                          std::min(bytes.size(), kBufferBytes));
    if (result < 0) tellFault(result);
    return result < 0 ? 0 : static_cast<std::size_t>(result);
  }

  std::size_t unseal(char* into) override {
    const int result =
        mbedtls_ssl_read(&ssl_, reinterpret_cast<unsigned char*>(into), kBufferBytes);
    if (result > 0) return static_cast<std::size_t>(result);
    if (result != MBEDTLS_ERR_SSL_WANT_READ && result != MBEDTLS_ERR_SSL_WANT_WRITE)
      tellFault(result);
    return 0;
  }

  void tellFault(int result) {
    if (result == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED)
      return fail(whyUntrusted(mbedtls_ssl_get_verify_result(&ssl_)));
    if (result == 0 || result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ||
        result == MBEDTLS_ERR_SSL_CONN_EOF)
      return fail("the host closed the connection");
    if (result == MBEDTLS_ERR_NET_RECV_FAILED) return fail(errorText(socket_error_));
    char text[64];
    std::snprintf(text, sizeof text, "TLS does not come about (mbedTLS error -0x%04x)",
                  static_cast<unsigned>(-result));
    fail(text);
  }

  static int checkAddress(void* self, mbedtls_x509_crt* certificate, int depth,
                          std::uint32_t* flags) noexcept {
    const auto& port = *static_cast<const TlsPort*>(self);
    if (depth == 0 && port.address_ && !namesAddress(*certificate, *port.address_))
      *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    return 0;
  }

  static int give(void* self, const unsigned char* bytes, std::size_t size) noexcept {
    static_cast<TlsPort*>(self)->out().append(reinterpret_cast<const char*>(bytes), size);
    return static_cast<int>(size);
  }

  static int take(void* self, unsigned char* into, std::size_t size) noexcept {
    auto& port = *static_cast<TlsPort*>(self);
    const ssize_t count = port.receive(reinterpret_cast<char*>(into), size);
    if (count > 0) return static_cast<int>(count);
    if (count == 0) return MBEDTLS_ERR_SSL_CONN_EOF;
    if (errno == EAGAIN) return MBEDTLS_ERR_SSL_WANT_READ;
    port.socket_error_ = errno;
    return MBEDTLS_ERR_NET_RECV_FAILED;
  }

  const std::string host_;
  const std::optional<IpAddress> address_;
  int socket_error_ = 0;
  mbedtls_x509_crt authorities_;
  mbedtls_ssl_config config_;
  mbedtls_ssl_context ssl_;
};

}  // namespace

std::expected<std::unique_ptr<Port>, std::string> makeTlsPort(Descriptor connecting,
                                                              const std::string& name,
                                                              std::string login,
                                                              const std::string& authorities,
                                                              const std::string& server_name) {
  auto port = std::make_unique<TlsPort>(std::move(connecting), name, std::move(login), server_name);
  if (const auto ready = port->setUp(authorities); !ready)
    return std::unexpected(name + ": " + ready.error());
  return port;
}

}  // namespace virtseer::agent

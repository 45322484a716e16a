#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "agent/config.h"
#include "agent/port.h"
#include "agent/server_address.h"

namespace virtseer::agent {

/// A connection that the agent makes to its host's daemon: it connects, secures what is to be
/// secured, sends the login, and is ready then. As it is here it goes over vsock, which nobody but
/// the host can listen to.
class ServerPort : public Port {
 public:
  /// `login` is the first frame; it is wiped once it was sent. `name` stands in reasons.
  ServerPort(Descriptor connecting, std::string name, std::string login);
  ~ServerPort() override;

  std::string_view read() override;
  std::size_t write(std::string_view bytes) override;
  bool wantsRoom() const override;
  bool isReady() const override { return isOpen() && stage_ == Stage::ready; }
  bool isCall() const override { return true; }

 protected:
  /// One TLS record, so that none stays in part where nothing tells of it.
  static constexpr std::size_t kBufferBytes = 16 * 1024;

  enum class Step : std::uint8_t { done, later, failed };

  /// Goes on with what must precede the login. `failed` after closing.
  virtual Step secure() { return Step::done; }
  /// Takes bytes for the server: some at once, and what does not fit into the socket behind
  /// `out()`.
  virtual std::size_t seal(std::string_view bytes);
  /// Reads into `into` (kBufferBytes); 0: nothing now, or closed.
  virtual std::size_t unseal(char* into);

  void fail(std::string_view why);
  /// Bytes that the socket did not take yet.
  std::string& out() { return out_; }
  /// Reads from the socket as recv() does, without signals.
  ssize_t receive(char* into, std::size_t size);

 private:
  enum class Stage : std::uint8_t { connecting, securing, ready };

  /// Goes as far as it can now.
  void advance();
  bool connected();
  void sendLogin();
  /// Whether nothing is left in out().
  bool flush();

  const std::string name_;
  std::string login_;
  std::string out_;
  Stage stage_ = Stage::connecting;
  std::array<char, kBufferBytes> buffer_{};
};

/// Begins to call `config.server`. Failure: what and why.
std::expected<std::unique_ptr<Port>, std::string> callServer(const Config& config,
                                                             const std::string& root);

/// A connection over TLS 1.2 or newer: the server must show a certificate that one in `authorities`
/// (PEM) signed and that names `server_name`, an address or a host's name. Only then the login is
/// sent.
std::expected<std::unique_ptr<Port>, std::string> makeTlsPort(Descriptor connecting,
                                                              const std::string& name,
                                                              std::string login,
                                                              const std::string& authorities,
                                                              const std::string& server_name);

}  // namespace virtseer::agent

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace virtseer::agent {

/// What the guest's own administrator names and allows. Without a file all of it is as here: the
/// agent then reads the kernel's figures and the system's log, and talks to the virtio port alone.
struct Config {
  /// A page of metrics in Prometheus' text format that may be read.
  struct Endpoint {
    std::string name;  ///< tells its metrics apart: label "job"
    std::string url;   ///< http://ADDRESS:PORT/PATH or unix:SOCKET:/PATH
  };
  /// A function of a library or program whose calls are counted.
  struct Uprobe {
    std::string name;
    std::string path;    ///< of the library or program
    std::string symbol;  ///< the function
  };

  std::string port;         ///< as in Port; empty: the virtio port of the echo channel
  std::string server;       ///< tls://HOST:PORT or vsock://CID:PORT, where there is no virtio port
  std::string server_ca;    ///< file with the certificates that the server's must be signed by
  std::string server_name;  ///< what the server's certificate must name; empty: HOST
  std::string token_file;   ///< file with this VM's token, for tls:// and vsock://
  std::string vm_uuid;      ///< this VM's, for the same; empty: what the firmware says
  std::uint32_t interval_ms = 5000;  ///< until the host sets it
  std::uint32_t top_processes = 10;  ///< the same
  std::vector<Endpoint> scrape;
  std::string statsd;  ///< path of the datagram socket to be made; empty: none
  std::vector<Uprobe> uprobes;
  bool ebpf = true;  ///< whether programs are loaded into the kernel at all
  bool logs = true;  ///< whether the system's log is read: it may hold what is not for the host
};

}  // namespace virtseer::agent

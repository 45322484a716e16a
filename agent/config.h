#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/metric_pattern.h"
#include "ebpf/uprobe.h"

namespace virtseer::agent {

/// What the guest's own administrator names and allows. Without a file all of it is as here: the
/// agent then reads the kernel's figures and the system's log, and talks to the virtio port alone.
struct Config {
  static constexpr std::size_t kMaxEndpoints = 8;
  static constexpr std::size_t kMaxPatterns = 16;  ///< of one endpoint
  static constexpr std::size_t kMaxUprobes = 32;

  /// A page of metrics in Prometheus' text format that may be read.
  struct Endpoint {
    std::string name;                     ///< tells its metrics apart: label "endpoint"
    std::string url;                      ///< as in parseTarget
    std::vector<MetricPattern> patterns;  ///< the series that are told
  };
  /// A function of a library or program whose calls are counted; label "function".
  using Uprobe = virtseer::ebpf::Uprobe;

  std::string port;         ///< as in Port; empty: the virtio port of the echo channel
  std::string server;       ///< tls://HOST:PORT or vsock://CID:PORT, where there is no virtio port
  std::string server_ca;    ///< file with the certificates that the server's must be signed by
  std::string server_name;  ///< what the server's certificate must name; empty: HOST
  std::string token_file;   ///< file with this VM's token, for tls:// and vsock://
  std::string vm_uuid;      ///< this VM's, for the same; empty: what the firmware says
  std::uint32_t interval_ms = 5000;      ///< until the host sets it
  std::uint32_t top_processes = 10;      ///< the same
  std::vector<Endpoint> scrape;          ///< at most kMaxEndpoints, of different names
  std::uint32_t scrape_interval_ms = 0;  ///< between two looks at a page; 0: as the echoes
  std::string statsd;                    ///< path of the datagram socket to be made; empty: none
  std::uint32_t statsd_mode = 0660;      ///< of that socket: who may send
  std::uint16_t statsd_udp = 0;          ///< port of 127.0.0.1 for the same; 0: none
  std::vector<Uprobe> uprobes;           ///< at most kMaxUprobes, of different names
  bool ebpf = true;                      ///< whether programs are loaded into the kernel at all
  bool logs = true;  ///< whether the system's log is read: it may hold what is not for the host
};

}  // namespace virtseer::agent

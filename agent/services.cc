#include "agent/services.h"

#include <algorithm>
#include <array>

namespace virtseer::agent {
namespace {

struct Service {
  std::uint16_t port;
  std::string_view name;
};

constexpr std::array kServices = std::to_array<Service>({
    {20, "ftp-data"},
    {21, "ftp"},
    {22, "ssh"},
    {23, "telnet"},
    {25, "smtp"},
    {53, "dns"},
    {80, "http"},
    {88, "kerberos"},
    {110, "pop3"},
    {111, "rpcbind"},
    {143, "imap"},
    {179, "bgp"},
    {389, "ldap"},
    {443, "https"},
    {445, "smb"},
    {465, "smtps"},
    {514, "syslog"},
    {587, "submission"},
    {631, "ipp"},
    {636, "ldaps"},
    {853, "dns-tls"},
    {873, "rsync"},
    {993, "imaps"},
    {995, "pop3s"},
    {1433, "mssql"},
    {1521, "oracle"},
    {1883, "mqtt"},
    {2049, "nfs"},
    {2181, "zookeeper"},
    {2375, "docker"},
    {2376, "docker-tls"},
    {2379, "etcd"},
    {2380, "etcd-peer"},
    {3128, "squid"},
    {3260, "iscsi"},
    {3306, "mysql"},
    {3389, "rdp"},
    {4222, "nats"},
    {5044, "beats"},
    {5060, "sip"},
    {5222, "xmpp"},
    {5432, "postgresql"},
    {5671, "amqps"},
    {5672, "amqp"},
    {5900, "vnc"},
    {5984, "couchdb"},
    {6379, "redis"},
    {6443, "kubernetes"},
    {6789, "ceph"},
    {7000, "cassandra-peer"},
    {8080, "http-alt"},
    {8443, "https-alt"},
    {8883, "mqtts"},
    {9042, "cassandra"},
    {9090, "prometheus"},
    {9092, "kafka"},
    {9100, "node-exporter"},
    {9200, "elasticsearch"},
    {9300, "elasticsearch-peer"},
    {10050, "zabbix-agent"},
    {10051, "zabbix"},
    {10250, "kubelet"},
    {10809, "nbd"},
    {11211, "memcached"},
    {15672, "rabbitmq-admin"},
    {16509, "libvirt"},
    {16514, "libvirt-tls"},
    {27017, "mongodb"},
    {50051, "grpc"},
});
static_assert(std::is_sorted(kServices.begin(), kServices.end(),
                             [](const Service& a, const Service& b) { return a.port < b.port; }));

}  // namespace

std::string_view serviceName(std::uint16_t port) {
  const auto found =
      std::lower_bound(kServices.begin(), kServices.end(), port,
                       [](const Service& service, std::uint16_t p) { return service.port < p; });
  return found != kServices.end() && found->port == port ? found->name : std::string_view();
}

}  // namespace virtseer::agent

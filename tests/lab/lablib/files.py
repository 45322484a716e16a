"""The texts of a lab host's configuration: fast figures, so that a test sees in seconds what takes minutes."""

LIBVIRTD = """\
listen_tls = 0
listen_tcp = 1
listen_addr = "{address}"
auth_tcp = "none"
auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_group = "virtseer"
unix_sock_ro_perms = "0777"
unix_sock_rw_perms = "0770"
host_uuid = "{uuid}"
log_filters = "3:util 3:event 3:rpc 3:qemu.qemu_monitor 2:qemu"
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
"""

QEMU = """\
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
stdio_handler = "file"
migration_address = "0.0.0.0"
migration_host = "{address}"
"""

VIRTSEER = """\
[log]
level = "info"

[libvirt]
uris = ["qemu:///system"]
interval = "1s"
call_deadline = "3s"
balloon_period = "1s"

[echo]
interval = "1s"
retry = "1s"

[host]
name = "{name}"
cgroup = "/"
cpus = {cpus}
memory = "{memory_mib}MiB"
interval = "1s"
ebpf = false

[api]
listen = "{address}:{port}"
token_file = "/etc/virtseer/token"
allowed_hosts = ["{name}"]

[forecast]
step = "1s"
horizons = ["1m", "4m"]

[policy]
mode = "observe"
unlocked_disks = true

[plan]
round = "1s"
act_within = "4m"
hold_rounds = 3
quiet_rounds = 5
settle = "10s"
cooldown = "60s"

[migration]
watch = "5s"
echo_back = "60s"
"""

PEER = """
[[peers]]
name = "{name}"
url = "http://{address}:{port}"
token_file = "/etc/virtseer/token-of-{name}"
migration_uri = "qemu+tcp://{address}/system"
"""

POOL = """\
<pool type='dir'>
  <name>images</name>
  <target><path>/var/lib/libvirt/images</path></target>
</pool>
"""

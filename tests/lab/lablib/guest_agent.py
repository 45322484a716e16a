"""A guest of the lab that runs Debian's qemu-ga, and nothing of virtseer."""

import pathlib

from . import cpio
from .machine import LabError

PORT = "org.qemu.guest_agent.0"
SYSTEM = "Lab Guest 1 (plain)"
HOSTNAME = "lab-plain"
# Its clock is set back by this much; it has no other one.
CLOCK_BEHIND_SECONDS = 3600
ARGUMENTS = "rdinit=/guest-init"

# A second archive after the appliance's is unpacked over it; the appliance's own modules are loaded in its order.
INIT = f"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
while read -r module; do [ -n "$module" ] && insmod "$module"; done < /lib/modules/order
[ -b /dev/vda ] && mount -t ext4 /dev/vda /data
hostname {HOSTNAME}
date -s @$(($(date +%s) - {CLOCK_BEHIND_SECONDS}))
while :; do
  for port in /sys/class/virtio-ports/*; do
    [ -e "$port/name" ] && [ "$(cat "$port/name")" = {PORT} ] || continue
    qemu-ga -m virtio-serial -p "/dev/${{port##*/}}" -t /run -f /run/qemu-ga.pid
  done
  sleep 0.1
done
"""


def initramfs(appliance, target):
    """Writes the appliance's initramfs with qemu-ga on top to `target`, and returns that."""
    programs = {"/bin/busybox": "/bin/busybox", "/bin/qemu-ga": "/usr/sbin/qemu-ga"}
    for source in programs.values():
        if not pathlib.Path(source).exists():
            raise LabError(f"{source} is missing: apt-get install busybox-static qemu-guest-agent")
    members = cpio.programs(programs)
    members += [cpio.program("guest-init", INIT.encode()),
                cpio.text("etc/os-release",
                          f'NAME="Lab Guest"\nVERSION="1"\nID=lab\nPRETTY_NAME="{SYSTEM}"\n')]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(appliance.read_bytes() + cpio.packed(cpio.folders(members) + members))
    return target

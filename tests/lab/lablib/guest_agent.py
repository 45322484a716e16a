"""A guest of the lab that runs Debian's qemu-ga, and nothing of virtseer."""

import gzip
import pathlib
import re
import stat

from .machine import LabError, run

PORT = "org.qemu.guest_agent.0"
SYSTEM = "Lab Guest 1 (plain)"
HOSTNAME = "lab-plain"
# Its clock is set back by this much; it has no other one.
CLOCK_BEHIND_SECONDS = 3600
ARGUMENTS = "rdinit=/guest-init"

# A second disk image after the appliance's is unpacked over it; the appliance's own modules are loaded in its order.
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


class Cpio:
    """An initramfs in the format 'newc', as cpio(5) and the kernel's buffer-format.rst have it."""

    def __init__(self):
        self.data = bytearray()
        self.folders = set()

    def _member(self, path, mode, content=b"", links=1):
        name = path.encode() + b"\0"
        fields = (0, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(name), 0)
        self.data += b"070701" + "".join(f"{field:08x}" for field in fields).encode() + name
        self.data += b"\0" * (-len(self.data) % 4)
        self.data += content
        self.data += b"\0" * (-len(self.data) % 4)

    def file(self, path, content, mode=0o644):
        path = path.lstrip("/")
        for folder in reversed(pathlib.PurePath(path).parents):
            if str(folder) != "." and folder not in self.folders:
                self.folders.add(folder)
                self._member(str(folder), stat.S_IFDIR | 0o755, links=2)
        self._member(path, stat.S_IFREG | mode, content)

    def packed(self):
        self._member("TRAILER!!!", 0)
        return gzip.compress(bytes(self.data), compresslevel=1, mtime=0)


def _libraries(program):
    """The shared libraries of a program, its loader among them, by the path under which each is looked for."""
    return sorted(set(re.findall(r"(/\S+) \(0x", run(["ldd", program]).stdout)))


def initramfs(appliance, target):
    """Writes the appliance's initramfs with qemu-ga on top; `target` for the file, which is told."""
    programs = {"/bin/busybox": "/bin/busybox", "/bin/qemu-ga": "/usr/sbin/qemu-ga"}
    for program in programs.values():
        if not pathlib.Path(program).exists():
            raise LabError(f"{program} is missing: apt-get install busybox-static qemu-guest-agent")
    archive = Cpio()
    for path, source in programs.items():
        archive.file(path, pathlib.Path(source).read_bytes(), 0o755)
    for library in _libraries(programs["/bin/qemu-ga"]):
        archive.file(library, pathlib.Path(library).read_bytes(), 0o755)
    archive.file("/guest-init", INIT.encode(), 0o755)
    archive.file("/etc/os-release", f'NAME="Lab Guest"\nVERSION="1"\nID=lab\nPRETTY_NAME="{SYSTEM}"\n'.encode())
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(appliance.read_bytes() + archive.packed())
    return target

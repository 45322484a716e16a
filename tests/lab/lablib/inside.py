"""The inside of a guest: a shell in the probe appliance, on a virtio port of its own, and a disk of known slowness."""

import secrets
import socket
import struct

from . import cpio
from .machine import LabError, run

PORT = "org.virtseer.stimulus.0"
ARGUMENT = "rdinit=/stimulus"
CHANNEL = ("<channel type='unix'><source mode='bind' path='/var/lib/libvirt/qemu/stimulus-{name}.sock'/>"
           f"<target type='virtio' name='{PORT}'/></channel>")

# The disk vdb: every request takes 20 ms, reads give zeros, and one sector cannot be read. It stands behind a port of
# its own, so that the kernel finds it after the disk of the domain.
SLOW_DISK_BYTES = 64 << 20
SLOW_DISK_SECONDS = 0.02
SLOW_DISK_BAD_SECTOR = 98304
SLOW_DISK = (
    "-blockdev", "driver=blkdebug,node-name=slow,inject-error.0.event=none,inject-error.0.iotype=read,"
                 f"inject-error.0.errno=5,inject-error.0.sector={SLOW_DISK_BAD_SECTOR},image.driver=null-co,"
                 f"image.size={SLOW_DISK_BYTES},image.latency-ns={int(SLOW_DISK_SECONDS * 1e9)},image.read-zeroes=on",
    "-device", "pcie-root-port,id=slow-port,bus=pcie.0,addr=0x10,chassis=90",
    "-device", "virtio-blk-pci,drive=slow,bus=slow-port,serial=slow",
)

# A line is a mark and a command; the answer is what the command said, then the mark and its exit code.
_SERVE = f"""\
#!/bin/sh
serve() {{
  until [ -d /sys/class/virtio-ports ]; do /bin/busybox sleep 0.1; done
  while [ -z "$port" ]; do
    for file in /sys/class/virtio-ports/*/name; do
      read -r name < "$file" || continue
      [ "$name" = {PORT} ] && port=${{file%/name}} && port=/dev/${{port##*/}}
    done
    /bin/busybox sleep 0.1
  done
  until [ -c "$port" ]; do sleep 0.1; done
  exec 3<> "$port"
  while :; do
    read -r mark command <&3 || {{ sleep 0.1; continue; }}
    sh -c "$command" < /dev/null > /run/said 2>&1 3>&-
    code=$?
    {{ cat /run/said; echo; echo "$mark $code"; }} >&3
  done
}}
"""
# A service of a guest that has an init of its own.
SERVER = f"{_SERVE}serve\n"
# Process 1 until the agent takes its place. It mounts nothing: a process 1 that finds /proc takes itself for one of a
# container.
PROGRAM = f"{_SERVE}serve 2> /dev/console &\nexec /init\n"

# as-unit UNIT NAME COMMAND: runs in the control group of that name, as a process of that name.
AS_UNIT = """\
#!/bin/sh
mkdir -p "/sys/fs/cgroup/$1"
echo $$ > "/sys/fs/cgroup/$1/cgroup.procs"
printf %s "$2" > /proc/$$/comm
shift 2
eval "$*"
"""

# sink: takes what comes, for a server that has it for each connection.
SINK = """\
#!/bin/sh
exec cat > /dev/null
"""


def _crasher():
    """An ELF program of two instructions, the second of which writes to address 0."""
    code = bytes.fromhex("31c0" "8800")
    place, head = 0x400000, 64 + 56
    size = head + len(code)
    elf = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, place + head, 64, 0, 0, 64, 56,
                                                          1, 64, 0, 0)
    return elf + struct.pack("<IIQQQQQQ", 1, 5, 0, place, place, size, size, 0x1000) + code


def archive(programs, busybox="/bin/busybox"):
    """What is laid over the appliance: busybox under all its names, the programs above, and those as {path: file}."""
    try:
        with open(busybox, "rb") as file:
            program = file.read()
    except OSError:
        raise LabError(f"{busybox} is missing: apt-get install busybox-static") from None
    members = [("bin", 0o040755, b""), ("bin/busybox", 0o100755, program)]
    members += [(f"bin/{name}", 0o120777, b"busybox") for name in run([busybox, "--list"]).stdout.split()
                if name != "busybox"]
    members += [("bin/as-unit", 0o100755, AS_UNIT.encode()), ("bin/sink", 0o100755, SINK.encode()),
                ("bin/crasher", 0o100755, _crasher()), ("stimulus", 0o100755, PROGRAM.encode())]
    # A shell that starts something in the background wants it before /dev is mounted.
    members.append(("dev/null", 0o020666, b"", (1, 3)))
    more = cpio.programs(programs)
    return cpio.packed(members + cpio.folders(more) + more)


class Inside:
    """Runs commands in a guest that was defined with `stimuli=True`, one at a time."""

    def __init__(self, host, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(str(host.folder / "lib/qemu" / f"stimulus-{name}.sock"))

    def run(self, command, timeout=60):
        """(exit code, what it said on both streams) of a line for the guest's shell; LabError if it does not end.

        What is left running in the background must have its output elsewhere.
        """
        if "\n" in command:
            raise LabError(f"not one line: {command}")
        mark = secrets.token_hex(8)
        self.socket.settimeout(timeout)
        end, got = f"\n{mark} ".encode(), b""
        try:
            self.socket.sendall(f"{mark} {command}\n".encode())
            while end not in got or not got.endswith(b"\n"):
                data = self.socket.recv(65536)
                if not data:
                    raise LabError(f"the guest ended during: {command}")
                got += data
        except TimeoutError:
            raise LabError(f"no end after {timeout} s in the guest: {command}") from None
        said, _, code = got.rpartition(end)
        return int(code), said.decode(errors="replace").strip()

    def close(self):
        self.socket.close()

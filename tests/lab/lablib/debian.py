"""A guest with the whole of Debian in it: systemd, udev, journald, and packages."""

import pathlib
import shutil
import subprocess
import tempfile

from . import inside
from .machine import LabError, run

MIRROR = "http://deb.debian.org/debian"
SUITE = "bookworm"
PACKAGES = ("busybox-static", "init", "initramfs-tools", "linux-image-cloud-amd64", "systemd", "udev")
IMAGE_MEBIBYTES = 1536
ARGUMENTS = "root=/dev/vda rw systemd.journald.forward_to_console=0"

UNIT = """\
[Unit]
Description=commands of a test
[Service]
ExecStart=/usr/local/sbin/stimulus
StandardError=journal+console
[Install]
WantedBy=multi-user.target
"""

# Run by mmdebstrap with the new root as its argument.
HOOK = """\
set -e
echo '/dev/vda / ext4 defaults 0 1' > "$1/etc/fstab"
echo debian > "$1/etc/hostname"
chroot "$1" passwd -q -l root
chroot "$1" systemctl -q enable stimulus.service
"""


class Debian:
    """Kernel, initramfs and disk image, made once in `folder` from Debian's mirror, some 150 MB of packages."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    @property
    def kernel(self):
        return self.folder / "vmlinuz"

    @property
    def initramfs(self):
        return self.folder / "initrd.img"

    @property
    def image(self):
        return self.folder / "root.ext4"

    def make(self, files=()):
        """`files`: pairs of a file here and its path in the guest."""
        if shutil.which("mmdebstrap") is None:
            raise LabError("mmdebstrap is missing: apt-get install mmdebstrap")
        with tempfile.TemporaryDirectory(prefix="virtseer-debian-") as scratch:
            root = pathlib.Path(scratch) / "root"
            hook = pathlib.Path(scratch) / "hook"
            hook.write_text("#!/bin/sh\n" + HOOK, encoding="utf-8")
            hook.chmod(0o755)
            laid = pathlib.Path(scratch) / "files"
            for name, mode, text in (("usr/local/sbin/stimulus", 0o755, inside.SERVER),
                                     ("etc/systemd/system/stimulus.service", 0o644, UNIT)):
                (laid / name).parent.mkdir(parents=True, exist_ok=True)
                (laid / name).write_text(text, encoding="utf-8")
                (laid / name).chmod(mode)
            for file, name in files:
                (laid / name.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, laid / name.lstrip("/"))
            run(["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--include=" + ",".join(PACKAGES),
                 f"--customize-hook=sync-in {laid} /", f"--customize-hook={hook}", SUITE, root, MIRROR], timeout=1800)
            self.folder.mkdir(parents=True, exist_ok=True)
            for name, target in (("vmlinuz", self.kernel), ("initrd.img", self.initramfs)):
                found = sorted(root.glob(f"boot/{name}-*"))
                if not found:
                    raise LabError(f"no {name} in the guest's /boot")
                shutil.copyfile(found[-1], target)
            self.image.unlink(missing_ok=True)
            subprocess.run(["truncate", "-s", f"{IMAGE_MEBIBYTES}M", self.image], check=True)
            run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", root, self.image], timeout=600)

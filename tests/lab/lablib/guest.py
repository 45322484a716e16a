"""Guests of the lab: their disks, their XML, their moves."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile
from xml.sax.saxutils import escape, quoteattr

from . import guest_agent, inside, machine
from .machine import LabError, run

CHANNEL = "org.virtseer.echo.0"
ROLE_KEY = "opt/org.virtseer/role"
KVM_TRIAL_SECONDS = 10
MIGRATION_SECONDS = 300

DOMAIN = """\
<domain type='{accelerator}' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{name}</name>
  <memory unit='MiB'>{memory}</memory>
  <vcpu placement='static' current='{vcpus}'>{vcpus_maximum}</vcpu>
  <sysinfo type='fwcfg'>{entries}</sysinfo>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{kernel}</kernel><initrd>{initramfs}</initrd>
    <cmdline>{cmdline}</cmdline>
  </os>
  <features><acpi/></features>
  {cpu}
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    {disk}
    <interface type='bridge'><source bridge='br0'/><mac address='{mac}'/><model type='virtio'/></interface>
    <serial type='file'><source path='/var/log/libvirt/console-{name}.log' append='on'/><target port='0'/></serial>
    {channels}{more}
    {serial}<controller type='usb' model='none'/>
    <memballoon model='virtio'><stats period='1'/></memballoon>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <video><model type='none'/></video>
  </devices>
{qemu}</domain>
"""

# A monitor beside libvirt's, by which a test sees what QEMU itself says of a guest.
MONITOR = ("-qmp", "unix:/var/lib/libvirt/qemu/qmp-{name}.sock,server=on,wait=off")

# What `channels` of a guest names, as its definition has it.
CHANNEL_XML = "<channel type='unix'><target type='virtio' name='{name}'/></channel>"

CPU = {
    "qemu": "<cpu mode='custom' match='exact'><model>qemu64</model></cpu>",
    "kvm": "<cpu mode='host-passthrough'/>",
}

DISK = {
    "shared": "<disk type='block' device='disk'><driver name='qemu' type='raw' cache='none' io='threads'/>"
              "<source dev='/var/lib/libvirt/disks/{name}'/><target dev='vda' bus='virtio'/></disk>",
    "local": "<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none' io='threads'/>"
             "<source file='/var/lib/libvirt/images/{name}.raw'/><target dev='vda' bus='virtio'/></disk>",
    "none": "",
}


class Guests:
    def __init__(self, lab):
        self.lab = lab

    # --- what they boot ---

    def appliance(self, stimuli=False, programs=None):
        """(kernel, initramfs): copies that stay as they are while a guest runs, since a migration needs the same.

        stimuli: with a shell for `inside.Inside`, and these programs as {path: file}.
        """
        sources = [self.lab.appliance / "vmlinuz", self.lab.appliance / "initramfs.gz"]
        for source in sources:
            if not source.exists():
                raise LabError(f"{source} is missing: make it with\n"
                               f"  {self.lab.binary} appliance build --directory {self.lab.appliance}")
        digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
        target = self.lab.folder / "appliance" / digest
        if not target.exists():
            fresh = target.with_suffix(".new")
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(parents=True)
            for source in sources:
                shutil.copyfile(source, fresh / source.name)
            fresh.rename(target)
        initramfs = target / "initramfs.gz"
        if stimuli:
            # The kernel unpacks one archive over the other.
            both = initramfs.read_bytes() + inside.archive(programs or {})
            initramfs = target / f"initramfs-{hashlib.sha256(both).hexdigest()[:12]}.gz"
            if not initramfs.exists():
                initramfs.write_bytes(both)
        return target / "vmlinuz", initramfs

    def accelerator(self):
        """'kvm' if a kernel boots under it to its end within ten seconds, else 'qemu'; found out once a lab."""
        known = self.lab.folder / "accelerator"
        if known.exists():
            return known.read_text(encoding="utf-8").strip()
        answer = os.environ.get("VIRTSEER_LAB_ACCELERATOR") or ("kvm" if self._kvm_boots() else "qemu")
        if answer not in CPU:
            raise LabError(f"VIRTSEER_LAB_ACCELERATOR is {answer}: it may be qemu or kvm")
        known.write_text(answer, encoding="utf-8")
        return answer

    def _kvm_boots(self):
        kernel = self.lab.appliance / "vmlinuz"
        if not os.access("/dev/kvm", os.R_OK | os.W_OK) or not kernel.exists():
            return False
        # Without a root the kernel panics at the end of its boot, and -no-reboot makes that QEMU's end.
        with tempfile.TemporaryFile() as console:
            trial = ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-m", "256", "-nographic", "-nodefaults",
                     "-serial", "stdio", "-no-reboot", "-kernel", str(kernel), "-append", "console=ttyS0 panic=-1"]
            try:
                subprocess.run(trial, stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                               timeout=KVM_TRIAL_SECONDS, env=machine.environment(), check=False)
            except subprocess.TimeoutExpired:
                return False
            console.seek(0)
            return b"Kernel panic" in console.read()

    # --- disks ---

    def _loops(self):
        """name -> loop device of the shared disks."""
        listing = run(["losetup", "--list", "--noheadings", "--raw", "--output", "NAME,BACK-FILE"]).stdout
        shared = str(self.lab.folder / "shared") + "/"
        pairs = [line.split(" ", 1) for line in listing.splitlines() if " " in line]
        return {pathlib.Path(file).stem: device for device, file in pairs if file.startswith(shared)}

    @staticmethod
    def _make_image(path, megabytes):
        if path.exists():
            return
        path.touch(mode=0o600)
        os.truncate(path, megabytes << 20)
        run(["mkfs.ext4", "-q", "-F", path])

    def make_disk(self, host, name, kind, megabytes):
        if kind == "local":
            self._make_image(host.folder / "lib/images" / f"{name}.raw", megabytes)
            host.virsh("pool-refresh", "images", check=False)
        elif kind == "shared":
            image = self.lab.folder / "shared" / f"{name}.raw"
            self._make_image(image, megabytes)
            if name not in self._loops():
                run(["losetup", "--find", "--direct-io=on", image])
            for other in self.lab.hosts():
                if other.init:
                    self.make_nodes(other)

    def make_nodes(self, host):
        """Gives a host its own device node of every shared disk."""
        for name, device in self._loops().items():
            number = os.stat(device).st_rdev
            node = f"/var/lib/libvirt/disks/{name}"
            if host.exec("test", "-b", node, check=False).returncode != 0:
                host.exec("mknod", "-m", "0600", node, "b", os.major(number), os.minor(number))

    def detach_all(self):
        for device in self._loops().values():
            run(["losetup", "--detach", device], check=False)

    # --- definitions ---

    def xml(self, name, memory=128, vcpus=1, vcpus_maximum=2, disk="shared", role="lab", arguments="",
            monitor=False, stimuli=False, system=None, channels=(CHANNEL,), serial=True, qemu_ga=False,
            programs=None):
        """The definition. monitor: a second QEMU monitor. stimuli: what `inside` tells of; programs: of this machine,
        as {path: file}, to be run by its shell. system: a Debian of
        `debian.py` instead of the appliance, on the local disk; with stimuli the shell alone. channels: names of its
        virtio ports. serial: whether it has a device for them even if there are none. qemu_ga: Debian's qemu-ga in
        the place of our agent.
        """
        kernel, initramfs = (system.kernel, system.initramfs) if system else self.appliance(stimuli, programs)
        if qemu_ga:
            initramfs = guest_agent.initramfs(initramfs, self.lab.folder / "appliance" / "qemu-ga" / "initramfs.gz")
            arguments = f"{guest_agent.ARGUMENTS} {arguments}"
        accelerator = self.accelerator()
        digest = hashlib.sha256(name.encode()).hexdigest()
        mac = "52:54:00:" + ":".join(digest[i:i + 2] for i in (0, 2, 4))
        entries = f"<entry name={quoteattr(ROLE_KEY)}>{escape(role)}</entry>"
        # Without swiotlb=noforce memory that can grow costs the guest 64 MiB at boot.
        cmdline = f"console=ttyS0 quiet panic=1 swiotlb=noforce {arguments}".strip()
        cmdline += f" {inside.ARGUMENT}" if stimuli and not system else ""
        words = (MONITOR if monitor else ()) + (inside.SLOW_DISK if stimuli and not system else ())
        words = "".join(f"<qemu:arg value={quoteattr(word.format(name=name))}/>" for word in words)
        qemu = f"  <qemu:commandline>{words}</qemu:commandline>\n" if words else ""
        return DOMAIN.format(accelerator=accelerator, name=escape(name), memory=memory, vcpus=vcpus,
                             vcpus_maximum=max(vcpus, vcpus_maximum), entries=entries if role else "",
                             kernel=kernel, initramfs=initramfs, cmdline=escape(cmdline), cpu=CPU[accelerator],
                             disk=DISK[disk].format(name=escape(name)), mac=mac,
                             serial="<controller type='virtio-serial' index='0'/>" if serial else "",
                             channels="".join(CHANNEL_XML.format(name=each) for each in channels),
                             more=inside.CHANNEL.format(name=escape(name)) if stimuli else "", qemu=qemu)

    def define(self, host, name, disk_size=64, **options):
        text = self.xml(name, **options)
        if "<entry" not in text:
            text = text.replace("<sysinfo type='fwcfg'></sysinfo>", "")
        if options.get("system"):
            shutil.copyfile(options["system"].image, host.folder / "lib/images" / f"{name}.raw")
        self.make_disk(host, name, options.get("disk", "shared"), disk_size)
        file = host.folder / f"{name}.xml"
        file.write_text(text, encoding="utf-8")
        host.virsh("define", file)

    def start(self, host, name, **options):
        """Starts a guest, defining it first where it is not."""
        if host.virsh("dominfo", name, check=False).returncode != 0:
            self.define(host, name, **options)
        host.virsh("start", name)

    def console(self, host, name):
        file = host.folder / "log" / f"console-{name}.log"
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""

    def migrate(self, name, source, target, extra=()):
        """A live move by hand, peer to peer; copies the disk where it is local, and deletes what that leaves behind."""
        listing = source.virsh("domblklist", name, "--details").stdout
        local = f"/var/lib/libvirt/images/{name}.raw" in listing
        flags = ["--live", "--p2p", "--persistent", "--undefinesource", "--abort-on-error"]
        if local:
            flags += ["--copy-storage-all", "--migrate-disks", "vda"]
        source.virsh("migrate", *flags, *extra, name, f"qemu+tcp://{target.address}/system", timeout=MIGRATION_SECONDS)
        if local:
            source.virsh("pool-refresh", "images")
            source.virsh("vol-delete", f"{name}.raw", "--pool", "images")
            target.virsh("pool-refresh", "images")

"""What the kernel unpacks over an initramfs: cpio in the format newc, as its buffer-format.rst has it."""

import gzip
import pathlib
import re
import stat

from .machine import LabError, run


def _member(number, path, mode, content, device=(0, 0)):
    name = path.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)


def packed(members):
    """The archive of (path, mode, content) or (path, mode, content, (major, minor)); the folder of each comes first."""
    all_members = [*members, ("TRAILER!!!", 0, b"")]
    return gzip.compress(b"".join(_member(i, *member) for i, member in enumerate(all_members, 1)), mtime=0)


def program(path, content):
    return (path.lstrip("/"), stat.S_IFREG | 0o755, content)


def programs(sources):
    """Programs of this machine as {path: file}, with the shared libraries of each where it looks for them."""
    for file in sources.values():
        if not pathlib.Path(file).exists():
            raise LabError(f"{file} is missing")
    # Of a program without any ldd says so and fails.
    libraries = {path for file in sources.values()
                 for path in re.findall(r"(/\S+) \(0x", run(["ldd", file], check=False).stdout)}
    return [program(path, pathlib.Path(file).read_bytes())
            for path, file in [*sources.items(), *((path, path) for path in sorted(libraries))]]


def text(path, content):
    return (path.lstrip("/"), stat.S_IFREG | 0o644, content.encode())


def folders(members):
    """The folders that `members` are in, those above first."""
    found = {str(folder) for path, *_ in members for folder in pathlib.PurePath(path).parents if str(folder) != "."}
    return [(folder, stat.S_IFDIR | 0o755, b"") for folder in sorted(found)]

"""The files of the source tree, for the lint tests."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def files(*patterns, below="."):
    """Tracked files that still exist, matching one of the patterns ('*.cc'), below a folder."""
    listing = subprocess.run(["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", below], cwd=ROOT, check=True,
                             stdout=subprocess.PIPE).stdout
    paths = [ROOT / name.decode() for name in listing.split(b"\0") if name]
    return [path for path in paths
            if path.is_file() and (not patterns or any(path.match(pattern) for pattern in patterns))]


def text(path):
    return path.read_text(encoding="utf-8")


def name(path):
    return str(path.relative_to(ROOT))


def scripts(interpreter):
    """Files without a suffix whose first line names this interpreter."""
    found = []
    for path in files():
        if path.suffix:
            continue
        with open(path, "rb") as file:
            first = file.readline()
        if first.startswith(b"#!") and interpreter.encode() in first:
            found.append(path)
    return found

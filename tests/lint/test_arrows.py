"""Which folder may see which: names the wrong arrow that would else fail at link, or not at all."""

import re

import pytest
from tree import ROOT, files, name, text

LEVELS = {"base": 0, "model": 1, "profile": 2, "predict": 2, "decide": 2, "wire": 2, "store": 3, "learn": 3,
          "platform": 3, "collect": 3, "act": 4, "api": 4, "fleet": 5, "daemon": 6, "twin": 6, "cli": 7}
ONLY = {"profile": {"base", "model"}, "predict": {"base", "model"}, "decide": {"base", "model"},
        "wire": {"base", "model"}, "api": {"base", "model", "wire"}}
ALSO = {"collect": {"store", "platform"}}

# Start of a foreign include -> the folders whose .cc files may have it.
FOREIGN = {
    "libvirt/": {"src/platform"},
    "archive": {"src/platform"},
    "rocksdb/": {"src/store"},
    "zstd": {"src/store"},
    "xgboost/": {"src/learn"},
    "Eigen/": {"src/learn"},
    "svm.h": {"src/learn"},
    "nlopt": {"src/learn"},
    "boost/beast": {"src/api", "src/cli", "src/fleet"},
    "openssl/": {"src/api", "src/cli", "src/collect"},
    "CLI/": {"src/cli"},
    "toml++/": {"src/daemon"},
    "systemd/": {"src/base", "src/daemon"},
    "mbedtls/": {"agent"},
    "bpf/": {"ebpf", "agent"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.MULTILINE)


def wrong_arrows(folder, includes):
    """Quoted includes that a file of src/folder may not have."""
    allowed = ONLY.get(folder, {other for other, level in LEVELS.items() if level < LEVELS[folder]})
    allowed = allowed | ALSO.get(folder, set()) | {folder}
    return [include for include in includes
            if include.split("/")[0] in LEVELS and include.split("/")[0] not in allowed]


def includes(path, quoted):
    return [target for mark, target in INCLUDE.findall(text(path)) if (mark == '"') == quoted]


def test_every_folder_of_src_has_a_level():
    folders = {path.relative_to(ROOT / "src").parts[0] for path in files("*.cc", "*.h", below="src")
               if path.parent != ROOT / "src"}
    assert folders and folders <= set(LEVELS)


def test_includes_of_src_point_down_only():
    wrong = []
    for path in files("*.cc", "*.h", below="src"):
        parts = path.relative_to(ROOT / "src").parts
        if len(parts) > 1:
            wrong += [f"{name(path)} sees {target}" for target in wrong_arrows(parts[0], includes(path, True))]
    assert not wrong


@pytest.mark.parametrize("folder, include", [("model", "store/store.h"), ("api", "daemon/config.h"),
                                             ("store", "collect/link.h"), ("decide", "predict/forecast.h")])
def test_a_wrong_arrow_is_found(folder, include):
    assert wrong_arrows(folder, [include]) == [include]


def test_the_agent_sees_include_and_ebpf_only():
    wrong = []
    for path in files("*.cc", "*.h", below="agent"):
        for target in includes(path, True):
            if not target.startswith(("virtseer/", "agent/", "ebpf/")) and not (path.parent / target).exists():
                wrong.append(f"{name(path)} sees {target}")
        wrong += [f"{name(path)} sees {target}" for target in includes(path, False)
                  if target.startswith(("boost/", "fmt/", "nlohmann/"))]
    assert not wrong


def test_ebpf_sees_itself_alone_and_is_seen_by_the_agent_and_collect():
    wrong = []
    for path in files("*.cc", "*.h", below="ebpf"):
        wrong += [f"{name(path)} sees {target}" for target in includes(path, True)
                  if not target.startswith("ebpf/") and not (path.parent / target).exists()]
        wrong += [f"{name(path)} sees {target}" for target in includes(path, False)
                  if target.startswith(("boost/", "fmt/", "nlohmann/"))]
    for path in files("*.cc", "*.h", below="src"):
        if not name(path).startswith("src/collect/"):
            wrong += [f"{name(path)} sees {target}" for target in includes(path, True) if target.startswith("ebpf/")]
    assert not wrong


def test_what_crosses_binaries_is_plain():
    wrong = []
    for path in files("*.h", below="include"):
        content = text(path)
        wrong += [f"{name(path)} sees {target}" for target in includes(path, False)
                  if "/" in target and not target.startswith("sys/")]
        wrong += [f"{name(path)} sees {target}" for target in includes(path, True)
                  if not target.startswith("virtseer/")]
        if re.search(r"^\s*virtual\s", content, re.MULTILINE):
            wrong.append(f"{name(path)} has a virtual method")
    assert not wrong


def test_foreign_headers_stay_in_their_folder():
    """In .cc files, or in headers that no file outside their own directory sees."""
    sources = [path for folder in ("src", "agent", "ebpf") for path in files("*.cc", "*.h", below=folder)]
    seen_from = {}
    for path in sources:
        for target in includes(path, True):
            seen_from.setdefault(target, []).append(path)
    wrong = []
    for path in sources:
        for target in includes(path, False):
            for start, homes in FOREIGN.items():
                if not target.startswith(start):
                    continue
                if not any(name(path).startswith(home + "/") for home in homes):
                    wrong.append(f"{name(path)} sees <{target}>")
                elif path.suffix != ".cc":
                    wrong += [f"{name(user)} sees <{target}> through {name(path)}"
                              for user in seen_from.get(name(path).split("/", 1)[1], []) if user.parent != path.parent]
    assert not wrong

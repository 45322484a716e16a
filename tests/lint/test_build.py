"""The build refuses compilers that are known to be wrong; versions and the shipped configuration agree."""

import re
import subprocess

import pytest
from tree import ROOT, text


def configure(tmp_path, compiler):
    return subprocess.run(["cmake", "-S", ROOT, "-B", tmp_path, f"-DCMAKE_CXX_COMPILER={compiler}"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=300, check=False)


@pytest.mark.parametrize("compiler, reason", [("g++-12", "destroys temporaries of co_await expressions twice"),
                                              ("clang++-14", "has no std::expected with libstdc++")])
def test_a_wrong_compiler_is_refused_with_the_package_that_helps(tmp_path, compiler, reason):
    done = configure(tmp_path, compiler)
    said = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert reason in said
    assert "apt-get install clang-19" in said


def test_the_version_is_the_same_everywhere():
    in_cmake = re.search(r"project\(virtseer VERSION ([\d.]+)", text(ROOT / "CMakeLists.txt")).group(1)
    in_header = re.search(r'kVersion = "([\d.]+)"', text(ROOT / "include/virtseer/version.h")).group(1)
    said = subprocess.run([ROOT / "build/release/virtseer", "--version"], stdout=subprocess.PIPE, text=True,
                          timeout=60, check=True).stdout
    assert in_cmake == in_header
    assert in_header in said


def test_the_agent_is_static():
    done = subprocess.run(["readelf", "--program-headers", ROOT / "build/release/virtseer-agent"],
                          stdout=subprocess.PIPE, text=True, check=True)
    assert "LOAD" in done.stdout and "INTERP" not in done.stdout


def test_the_shipped_configuration_is_accepted():
    done = subprocess.run([ROOT / "build/release/virtseer", "config", "check", ROOT / "config/virtseer.toml"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout

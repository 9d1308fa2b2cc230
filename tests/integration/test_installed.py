"""What is installed: how its programs are hardened, and its systemd units."""
import os
import re
import shutil
import subprocess

import pytest

from installation import BUILD
from test_confinement import OWN

EXPOSURE_MOST = 2.0  # of 10, as systemd counts; the daemons of a Debian have 9


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    root = tmp_path_factory.mktemp("installed")
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", root],
                   check=True, capture_output=True)
    return root


def read_elf(path, *words):
    return subprocess.run(["readelf", "-W", *words, path], check=True, capture_output=True,
                          text=True).stdout


def binaries(installed):
    for path in sorted(installed.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.read_bytes()[:4] == b"\x7fELF":
            yield path


@pytest.mark.optimised
def test_every_program_is_hardened(installed):
    names = set()
    for path in binaries(installed):
        head, segments = read_elf(path, "-h"), read_elf(path, "-l")
        dynamic, symbols = read_elf(path, "-d"), read_elf(path, "--dyn-syms")
        names.add(path.name)
        assert re.search(r"Type: +DYN", head), f"{path.name} is not position independent"
        assert "GNU_RELRO" in segments, f"{path.name} has no RELRO"
        assert re.search(r"BIND_NOW|FLAGS.*NOW", dynamic), f"{path.name} binds late"
        assert re.search(r"GNU_STACK .* RW +0x", segments), f"{path.name} can run its stack"
        assert not re.search(r"LOAD .* RWE", segments), f"{path.name} can write to its code"
        assert "__stack_chk_fail" in symbols, f"{path.name} has no stack protector"
        assert re.search(r"__\w+_chk@", symbols.replace("__stack_chk_fail", "")), \
            f"{path.name} is built without _FORTIFY_SOURCE"
        assert not re.search(r"\((RPATH|RUNPATH)\)", dynamic), f"{path.name} has an RPATH"
    assert {re.sub("-g0.", "", name) for name in OWN} | {"picstore"} <= names


@pytest.fixture(scope="module")
def units(installed, tmp_path_factory):
    """The units, with programs where they are now."""
    folder = tmp_path_factory.mktemp("units")
    shutil.copytree(next(installed.rglob("systemd/system")), folder, dirs_exist_ok=True)
    prefix = next(installed.rglob("bin/picstore")).parents[1]
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_text()
            path.write_text(re.sub(r"^(ExecStart=)/\S+?/(bin|libexec)/", rf"\1{prefix}/\2/", text,
                                   flags=re.M))
    return folder


def instances():
    for part in OWN:
        if part.startswith("storage_server-"):
            yield f"picstore-storage@{part.partition('-')[2]}.service"
        else:
            yield f"picstore@{part}.service"


def analyze(units, *words):
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False,
                          env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:", "LC_ALL": "C"})


def test_every_program_has_a_unit_that_systemd_understands(units):
    done = analyze(units, "verify", "--man=no", "picstore.target", *instances())
    # What it says of units of the machine itself is not ours.
    said = [line for line in (done.stdout + done.stderr).splitlines() if "picstore" in line]
    assert said == []


def test_units_leave_the_programs_little(units):
    for unit in instances():
        done = analyze(units, "security", "--offline=true", unit)
        found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
        assert found, done.stdout + done.stderr
        assert float(found[1]) <= EXPOSURE_MOST, f"{unit}\n{done.stdout}"

"""What a program could still do if it was taken over: it is made to try."""
import errno
import os
import pathlib
import socket

import pytest

from injected_calls import AF_INET, AF_PACKET, SOCK_STREAM, address, landlock, taken_over
import web
from installation import SAMPLE

# What each may write, and whether it may read secrets and make TCP connections: as it stands in
# docs/security.md.
OWN = {
    "tracker_server": ({"tracker"}, False, False),
    "storage_server-g01": ({"g01"}, False, True),
    "storage_server-g02": ({"g02"}, False, True),
    "cut_svr": ({"cuts"}, False, True),
    "del_svr": ({"log"}, False, False),
    "del_file_ontime": ({"log"}, False, True),
    "cs_del_svr": ({"receipts", "cuts"}, False, True),
    "sess_check_svr": ({"sessions"}, True, True),
    "metadata_dbsvr": ({"metadata"}, False, True),
    "admin_proxy": (set(), False, True),
    "download.fcgi": (set(), False, True),
    "upload.cgi": (set(), True, True),
}
READS_STORES = {"storage_server-g01", "storage_server-g02", "cut_svr", "metadata_dbsvr",
                "download.fcgi"}


def parts(installation):
    return sorted(path.name for path in (installation.home / "run/service").iterdir()
                  if not path.name.startswith("."))


def program(part):
    """A part without its port."""
    stem, _, last = part.rpartition("-")
    return stem if last.isdigit() else part


def status(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_every_program_is_nobody_and_stays_so(shared):
    ours = [part for part in parts(shared) if part not in ("lighttpd", "varnishd")]
    assert {program(part) for part in ours} == set(OWN)
    for part in parts(shared):
        seen = status(shared.pid(part))
        assert seen["NoNewPrivs"] == "1", part
        if part in ours:
            assert seen["Seccomp"] == "2", part
        if "root" not in shared.command():
            assert int(seen["CapEff"], 16) == 0, part
            assert "0" not in seen["Uid"].split(), part


def folders(home):
    """Those that something is written to, by the word for it in OWN."""
    return {"g01": home / "data/g01", "g02": home / "data/g02", "log": home / "log",
            "receipts": home / "data/receipts", "cuts": home / "data/cuts",
            "sessions": home / "data/sessions", "metadata": home / "data/metadata",
            "tracker": home / "data/tracker", "etc": home / "etc", "secret": home / "secret"}


@pytest.mark.taken_over
def test_who_is_taken_over_gets_nowhere(shared):
    places = folders(shared.home)
    outside = shared.scratch / "outside"
    outside.mkdir(exist_ok=True)
    outside.chmod(0o777)
    (outside / "secret").write_text("secret")
    (outside / "secret").chmod(0o666)
    for place in places.values():
        assert place.is_dir(), place
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        for part in parts(shared):
            if program(part) not in OWN:
                continue
            writes, reads_secrets, connects = OWN[program(part)]
            with taken_over(shared.pid(part)) as call:
                def may(name, *arguments):
                    result = call(name, *arguments)
                    if result >= 0:
                        call("close", result)
                        return True
                    assert result == -errno.EACCES, (part, name, arguments, result)
                    return False

                def may_write(folder):
                    path = folder / f"left-by-{part}"
                    done = may("open", path, os.O_CREAT | os.O_WRONLY, 0o600)
                    if done:
                        assert call("unlink", path) == 0
                    return done

                assert {word for word in places if may_write(places[word])} == writes, part
                assert not may_write(outside), part
                assert not may("open", outside / "secret", os.O_RDONLY), part
                assert may("open", shared.home / "secret/jwt", os.O_RDONLY) == reads_secrets, part
                volume = shared.home / "data/g01/.picstore"
                assert may("open", volume, os.O_RDONLY) == (program(part) in READS_STORES), part
                assert call("execve", "/usr/bin/true", 0, 0) == -errno.EPERM, part
                assert call("socket", AF_PACKET, SOCK_STREAM, 0) == -errno.EAFNOSUPPORT, part
                assert call("mount", "none", "/mnt", "tmpfs", 0, 0) == -errno.EPERM, part
                assert call("ptrace", 16, os.getpid(), 0, 0) == -errno.EPERM, part
                one = call("socket", AF_INET, SOCK_STREAM, 0)
                assert one >= 0, part
                if landlock() >= 4:  # Linux 6.7
                    assert call("bind", one, address(0), 16) == -errno.EACCES, part
                    result = call("connect", one, address(stranger.getsockname()[1]), 16)
                    assert result == (0 if connects else -errno.EACCES), part
                call("close", one)
    # All of them are as well as before.
    stored = web.stored(web.upload(shared.varnish, shared.token(), SAMPLE.read_bytes()))
    assert web.get(shared.varnish, "/" + stored).body == SAMPLE.read_bytes()
    shared.picstore("rm", stored)

"""The scrub of storage_server: damage is found without anybody asking, told, and never served."""
import os

import fdfs
import pictures
import web
from wait import until


def numbered(number):
    return pictures.with_comment(pictures.noisy(20_000, seed=91), number)


def poke(volume, at, content):
    """As a disk does: the file's times stay.  Returns what was there."""
    times = volume.stat()
    with open(volume, "r+b") as file:
        file.seek(at)
        old = file.read(len(content))
        file.seek(at)
        file.write(content)
    os.utime(volume, ns=(times.st_atime_ns, times.st_mtime_ns - 60_000_000_000))
    return old



def quarantine(one):
    path = one.home / "data/g01/quarantine"
    return path.read_text().splitlines() if path.exists() else []


def test_damage_is_found_told_and_not_served(installations):
    one = installations({("storage g01", "scrub_every"): "1s", ("storage g01", "scrub_rate"): "1G"})
    one.start("--no-self-test")
    with fdfs.Client(one.storage["g01"]) as storage:
        ids = [storage.upload(numbered(number)) for number in range(9)]
        slave = storage.upload_slave(ids[0], "_s", b"slave", "jpg")
    volume, = [v for v in one.volumes("g01") if numbered(4) in v.read_bytes()]
    data = volume.read_bytes()
    places = [data.index(numbered(4)) + 7000, data.index(numbered(6)) - 128 + 70]
    assert quarantine(one) == []
    old = [poke(volume, at, b"\xaa\x55") for at in places]
    until(lambda: len(quarantine(one)) == 2, "the list tells it")
    assert ids[4].partition("/")[2] in "".join(quarantine(one))
    assert one.log("storage_server-g01").lower().count(" alarm: ") >= 2
    until(lambda: '"quarantined":2' in one.picstore("status", "--json").stdout.replace(" ", ""),
          "status tells it")
    fsck = one.picstore("fsck", check=False)
    assert fsck.returncode == 1 and "2 on the quarantine list" in fsck.stdout
    for port in (one.varnish, one.lighttpd):
        assert [web.get(port, "/" + ids[n]).status for n in (4, 6, 5)] == [502, 502, 200]
    # It is put back, from a backup say.
    for at, content in zip(places, old):
        poke(volume, at, content)
    until(lambda: quarantine(one) == [], "what is right again leaves the list")
    assert [web.get(one.lighttpd, "/" + i).body for i in ids] == [numbered(n) for n in range(9)]
    assert web.get(one.lighttpd, "/" + slave).body == b"slave"
    assert one.picstore("fsck").returncode == 0

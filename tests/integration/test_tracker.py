"""tracker_server on the wire: every command, widths and layouts, modes of storages."""
import os
import signal
import socket
import struct
import subprocess
import time

import pytest

import fdfs
from installation import TREE
from wait import until

RUN_STATE, IDS, STORAGE_ID, STORAGE_STATUS, PARAMETERS = 64, 69, 70, 71, 75
LEADER, TRACKERS, STORAGES_SHORT, VOLUMES = 95, 96, 97, 98
UNSUPPORTED = 95
NAME = b"M00/00/00/fwAAAmsC23SASnBNAAAEALcLTCY054.jpg"
G01 = fdfs.group_field("g01")


@pytest.fixture
def tracker(stack):
    with fdfs.Client(stack.tracker) as client:
        yield client


def cluster(installations, settings):
    """With storages of their own settings; only the FastDFS side of it matters."""
    return installations(settings).start("--no-self-test")


# -- status values and lengths, as FastDFS V6.16 has them

@pytest.mark.parametrize("command, body, status", [
    (fdfs.STORE_IN, fdfs.group_field("nosuch"), 2),
    (fdfs.STORE_IN, b"g01".ljust(16), 2),
    (fdfs.FETCH, fdfs.group_field("nosuch") + NAME, 2),
    (fdfs.FETCH, G01 + b"M00/00/00/abcdefghijk", 22),
    (fdfs.FETCH, G01 + b"M00/00/00/!!!!!!!!!!!!", 0),
    (fdfs.FETCH, G01 + b"M00/00/00/" + b"A" * 117, 0),
    (fdfs.FETCH, G01 + b"M00/00/00/" + b"A" * 118, 22),
    (fdfs.UPDATE, G01 + b"M00/00/00/" + b"A" * 118, 22),
    (fdfs.FETCH_ALL, G01, 22),
    (fdfs.GROUP, fdfs.group_field("nosuch"), 2),
    (fdfs.GROUP, b"g01", 22),
    (fdfs.GROUPS, b"z", 22),
    (fdfs.STORAGES, fdfs.group_field("nosuch"), 2),
    (fdfs.STORAGES, G01 + b"9.9.9.9", 2),
    (fdfs.STORAGES, G01 + b"x" * 16, 22),
    (fdfs.STORE, b"zz", 22),
    (fdfs.STORE_ALL, b"zz", 22),
    (fdfs.ACTIVE_TEST, b"z", 22),
    (fdfs.STORE, b"z" * 200_000, 22),
    (200, b"", 22),
    (81, b"", 22),
    (IDS, struct.pack(">IB", 0, 0), UNSUPPORTED),
    (IDS, struct.pack(">I", 0), UNSUPPORTED),
    (STORAGE_STATUS, G01 + b"9.9.9.9:1", 2),
])
def test_status_values(tracker, command, body, status):
    assert tracker.ask(command, body)[0] == status
    assert tracker.ask(fdfs.ACTIVE_TEST) == (0, b""), "the connection stays open"


@pytest.mark.parametrize("length", [-1, 1 << 30, (1 << 63) - 1])
def test_lengths_that_close(tracker, length):
    tracker.send(fdfs.package(fdfs.STORE, length=length))
    with pytest.raises(fdfs.Closed):
        tracker.read(1)


def test_the_silent_are_closed_and_the_idle_are_not(installations):
    one = cluster(installations, {("fdfs", "network_timeout"): "500ms"})
    with fdfs.Client(one.tracker) as idle, fdfs.Client(one.tracker) as silent, \
            fdfs.Client(one.tracker) as half:
        assert idle.ask(fdfs.ACTIVE_TEST) == (0, b"")
        half.send(fdfs.package(fdfs.ACTIVE_TEST)[:5])
        for client in (silent, half):
            with pytest.raises(fdfs.Closed):
                client.read(1)
        assert idle.ask(fdfs.ACTIVE_TEST) == (0, b"")


# -- what newer tools ask

def test_short_lists(tracker, stack):
    leader = tracker.call(LEADER).decode()
    assert leader == f"127.0.0.1:{stack.tracker}"
    stat = tracker.call(TRACKERS, bytes(3))
    assert len(stat) == 91 and stat[0] == 1
    assert fdfs.text(stat[1:53]) == leader and stat[53:55] == b"\1\1"
    stat = tracker.call(STORAGES_SHORT, bytes(4))
    assert stat[:2] == b"\0\0" and struct.unpack(">I", stat[2:6])[0] == 2
    rows = [stat[i:i + 106] for i in range(6, len(stat), 106)]
    assert [fdfs.text(row[16:68]) for row in rows] == \
        [f"127.0.0.1:{stack.storage[group]}" for group in ("g01", "g02")]
    assert all(row[69] == 7 for row in rows)
    stat = tracker.call(VOLUMES, bytes(4))
    assert len(stat) == 5 + 2 * 59 and fdfs.text(stat[5:22]) == "g01"
    total, free, reserved, available, trunk = struct.unpack(">5q", stat[22:62])
    assert total > free > available > 0 and free == pytest.approx(available + reserved, abs=1)
    assert trunk == 0 and stat[62:64] == b"\1\0"


def test_run_state_and_parameters(tracker):
    leads, running, away = struct.unpack(">Bqq", tracker.call(RUN_STATE))
    assert (leads, away) == (1, 0) and 0 <= running < 86400
    lines = dict(line.split("=") for line in tracker.call(PARAMETERS).decode().splitlines())
    assert lines["use_storage_id"] == "0" and lines["id_type_in_filename"] == "ip"
    assert lines["response_ip_addr_size"] == "16" and lines["use_trunk_file"] == "0"


def test_one_storage(tracker, stack):
    for endpoint in (b"127.0.0.1", b"127.0.0.1:%d" % stack.storage["g01"]):
        assert tracker.call(STORAGE_ID, G01 + endpoint) == b"127.0.0.1"
    status = tracker.call(STORAGE_STATUS, G01 + b"127.0.0.1:%d" % stack.storage["g01"])
    assert len(status) == 67 and status[0] == 7
    assert struct.unpack(">I", status[1:5])[0] == stack.storage["g01"]


def test_without_ids_an_empty_list_must_be_fine(tracker):
    assert tracker.call(IDS, struct.pack(">IB", 0, 1)) == bytes(8)


# -- widths, layouts, ids

@pytest.mark.parametrize("layout, width, group, storage, route, info", [
    ("current", "16", 113, 487, 40, 40), ("current", "46", 113, 517, 70, 70),
    ("105-612", "16", 105, 612, 40, 40), ("105-600", "16", 105, 600, 40, 40)])
def test_lengths_that_strict_clients_check(installations, layout, width, group, storage, route, info):
    one = cluster(installations, {("fdfs", "record_layout"): layout, ("fdfs", "ip_width"): width})
    with fdfs.Client(one.tracker) as tracker, fdfs.Client(one.storage["g01"]) as holder:
        assert len(tracker.call(fdfs.GROUPS)) == 2 * group
        assert len(tracker.call(fdfs.STORAGES, G01)) == storage
        assert len(tracker.call(fdfs.STORE)) == len(tracker.call(fdfs.STORE_ALL_IN, G01)) == route
        file_id = holder.upload(b"wide or not")
        name = b"".join(fdfs.split(file_id))
        for command in (fdfs.FETCH, fdfs.UPDATE, fdfs.FETCH_ALL):
            assert len(tracker.call(command, name)) == route - 1
        assert len(holder.call(fdfs.INFO, name)) == info


def test_numbers_instead_of_addresses(installations):
    """Ids 1 to 16777215 stand in names, little endian; IPv6 storages cannot do without."""
    one = cluster(installations, {
        ("fdfs", "ip_width"): "46",
        ("storage g01", "id"): "100001", ("storage g02", "id"): "16777215",
        ("storage g02", "advertise"): "[::1]:47"})
    with fdfs.Client(one.tracker) as tracker, fdfs.Client(one.storage["g01"]) as holder:
        file_id = holder.upload(b"hello", "txt")
        assert file_id[len("g01/M00/00/00/"):].startswith("oYYBA")  # a1 86 01 00
        answer = tracker.call(fdfs.FETCH, b"".join(fdfs.split(file_id)))
        assert len(answer) == 69 and fdfs.text(answer[16:61]) == "127.0.0.1"
        answer = tracker.call(fdfs.STORE_IN, fdfs.group_field("g02"))
        assert fdfs.text(answer[16:61]) == "::1", "the address told, not the one listened on"
        assert struct.unpack(">q", answer[61:69])[0] == 47
        ids = tracker.call(IDS, struct.pack(">IB", 0, 0))
        assert struct.unpack(">II", ids[:8]) == (2, 2)
        assert ids[8:].decode().splitlines() == [
            f"100001 g01 127.0.0.1:{one.storage['g01']}", "16777215 g02 [::1]:47"]
        lines = tracker.call(PARAMETERS).decode().splitlines()
        assert "use_storage_id=1" in lines and "id_type_in_filename=id" in lines
        assert fdfs.text(tracker.call(STORAGE_STATUS, fdfs.group_field("g02") + b"[::1]:47")[5:21]) \
            == "16777215"


# -- who is up, and who takes what

def test_a_storage_that_ends_is_out_at_once(own):
    with fdfs.Client(own.tracker) as tracker:
        for how in (signal.SIGTERM, signal.SIGKILL):
            until(lambda: tracker.ask(fdfs.STORE_IN, G01)[0] == 0, "g01 is up")
            own.control("storage_server-g01", "-o")  # not started again
            os.kill(own.pid("storage_server-g01"), how)
            killed = time.monotonic()
            while tracker.ask(fdfs.STORE_IN, G01)[0] == 0:
                assert time.monotonic() - killed < 0.5, "sooner than beat_timeout tells"
            assert tracker.ask(fdfs.FETCH, G01 + NAME)[0] == fdfs.ENOENT
            assert tracker.ask(fdfs.GROUP, G01)[0] == 0, "known all the same"
            assert tracker.store()[0] == "g02"
            own.up("storage_server-g01")


def test_modes_are_read_again(own):
    with fdfs.Client(own.tracker) as tracker, fdfs.Client(own.storage["g01"]) as holder:
        first, second = holder.upload(b"first"), holder.upload(b"second")

        def change(mode, shown):
            own.configure({("storage g01", "mode"): mode})
            own.control("storage_server-g01", "-h")
            until(lambda: tracker.call(fdfs.STORAGES, G01)[1] == shown, mode)

        change("draining", 4)
        assert {tracker.store()[0] for _ in range(4)} == {"g02"}
        assert tracker.ask(fdfs.STORE_IN, G01)[0] == fdfs.ENOENT
        with pytest.raises(fdfs.Failed) as refusal:
            holder.upload(b"third")
        assert refusal.value.status == fdfs.ENOSPC
        assert tracker.fetch(first) == tracker.fetch(first, fdfs.UPDATE)
        assert holder.download(first) == b"first"
        holder.delete(first)

        change("read-only", 4)
        assert holder.download(second) == b"second"
        assert tracker.fetch(second)[0] == "g01"
        # Draining was shown by the same number: what differs is told by the next beat.
        until(lambda: tracker.ask(fdfs.UPDATE, b"".join(fdfs.split(second)))[0] == fdfs.ENOENT,
              "it may not be changed")
        with pytest.raises(fdfs.Failed) as refusal:
            holder.delete(second)
        assert refusal.value.status == 16

        change("read-write", 6)
        holder.delete(second)
        holder.upload(b"fourth")


def test_store_paths_are_named_in_turn_and_a_client_may_choose(installations):
    folders = ["../data/g01a", "../data/g01b", "../data/g01c"]
    one = cluster(installations, {("storage g01", "store_path"): " ".join(folders)})
    with fdfs.Client(one.tracker) as tracker, fdfs.Client(one.storage["g01"]) as holder:
        assert struct.unpack(">q", tracker.call(fdfs.GROUP, G01)[89:97])[0] == 3
        assert struct.unpack(">q", tracker.call(fdfs.STORAGES, G01)[106:114])[0] == 3
        told = [tracker.store("g01")[2] for _ in range(12)]
        assert set(told) == {0, 1, 2}
        ids = [holder.upload(b"path %d" % path, "jpg", path) for path in told]
        assert [int(file_id[5:7], 16) for file_id in ids] == told
        assert {holder.upload(b"any", "jpg")[4:7] for _ in range(9)} == {"M00", "M01", "M02"}
        assert [holder.download(file_id) for file_id in ids] == [b"path %d" % path for path in told]
        assert all(list((one.home / "data" / folder[8:]).rglob("*.vol")) for folder in folders)
        one.kill("storage_server-g01")
    with fdfs.Client(one.storage["g01"]) as holder:
        for file_id, path in zip(ids, told):
            assert holder.download(file_id) == b"path %d" % path
            holder.delete(file_id)
        assert holder.ask(fdfs.UPLOAD, struct.pack(">Bq6s", 3, 3, b"jpg") + b"abc")[0] == fdfs.EINVAL


def test_paths_below_their_reserve_are_left_out(installations):
    one = cluster(installations, {("storage g01", "reserved_space"): "900T",
                                  ("storage g01", "store_path"): "../data/g01a ../data/g01b"})
    with fdfs.Client(one.tracker) as tracker:
        assert tracker.ask(fdfs.STORE_IN, G01)[0] == fdfs.ENOSPC
        assert {tracker.store()[0] for _ in range(3)} == {"g02"}
        assert struct.unpack(">q", tracker.call(fdfs.GROUP, G01)[89:97])[0] == 2
        with fdfs.Client(one.storage["g01"]) as holder, pytest.raises(fdfs.Failed) as refusal:
            holder.upload(b"no room")
        assert refusal.value.status == fdfs.ENOSPC


# -- who may ask

def test_only_loopback_may_ask_until_it_is_configured():
    sample = (TREE / "etc/picstore.conf").read_text()
    assert "\n#allow = 127.0.0.0/8 ::1\n" in sample[sample.index("\n[fdfs]\n"):sample.index("\n[tracker]\n")]


@pytest.fixture
def outer_address():
    """One of this machine that is not a loopback one; without a network, one for this test."""
    found = subprocess.run(["ip", "-4", "-o", "addr", "show", "scope", "global"], capture_output=True, text=True,
                           check=True).stdout.split()
    if found:
        yield found[3].split("/")[0]
        return
    subprocess.run(["ip", "addr", "add", "192.0.2.77/32", "dev", "lo"], check=True)
    try:
        yield "192.0.2.77"
    finally:
        subprocess.run(["ip", "addr", "del", "192.0.2.77/32", "dev", "lo"], check=True)


def test_who_is_not_on_this_machine_is_closed_until_it_is_allowed(installations, outer_address):
    """Whatever they listen on."""
    wide = {("tracker", "listen"): "0.0.0.0:22122", ("storage g01", "listen"): "0.0.0.0:1",
            ("storage g01", "advertise"): "127.0.0.1:1"}
    one = cluster(installations, wide)
    for port in (one.tracker, one.storage["g01"]):
        with fdfs.Client(port) as near, fdfs.Client(port, host=outer_address) as far:
            assert near.ask(fdfs.ACTIVE_TEST) == (0, b"")
            with pytest.raises((fdfs.Closed, ConnectionError)):
                far.ask(fdfs.ACTIVE_TEST)
    until(lambda: outer_address in one.log("tracker_server"), "a line in the log")
    one.stop()
    one.configure({("fdfs", "allow"): f"127.0.0.1 {outer_address}"})
    one.start("--no-self-test")
    for port in (one.tracker, one.storage["g01"]):
        with fdfs.Client(port, host=outer_address) as far:
            assert far.ask(fdfs.ACTIVE_TEST) == (0, b"")


def test_others_are_closed_without_an_answer(installations):
    one = cluster(installations, {("fdfs", "allow"): "127.0.0.1"})
    for port in (one.tracker, one.storage["g01"]):
        with fdfs.Client(port) as friend:
            assert friend.ask(fdfs.ACTIVE_TEST) == (0, b"")
        with socket.create_connection(("127.0.0.1", port), 30, ("127.0.0.9", 0)) as stranger:
            assert stranger.recv(1) == b""

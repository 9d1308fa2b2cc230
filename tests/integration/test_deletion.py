"""Deletes: noted, held until their time, done everywhere, with a receipt."""
import contextlib
import http.server
import itertools
import json
import pathlib
import re
import socket
import sqlite3
import struct
import subprocess
import tempfile
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

import fdfs
import package
import pictures
import web
from installation import BUILD, as_its_user, mount_tmpfs
from wait import until

ONTIME = [*as_its_user(), BUILD / "src/programs/del_file_ontime/del_file_ontime"]
FULL = 7
URL = "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"


def delete_log(installation):
    path = installation.home / "log/delete.log"
    return path.read_text().splitlines() if path.exists() else []


def named(number):
    """Ids that nobody stored."""
    return f"g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY{number:07d}"


# -- del_svr

def test_a_delete_is_a_line_with_time_user_and_hostid(own):
    with package.Caller(own.del_svr[0]) as caller:
        assert caller.delete_later([URL], user=10001) == package.OK
    line, = delete_log(own)
    front, crc = line.rsplit(" ", 1)
    when, rest = front.split(" ", 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", when)
    assert rest == f"delete 7 10001 {URL}"
    assert int(crc, 16) == zlib.crc32(front.encode() + b" ")


def test_a_malformed_url_refuses_its_whole_package(own):
    with package.Caller(own.del_svr[0]) as caller:
        for bad in ("", "no/id", URL[:-8], "../" + URL, "g01/M00/00/00/x.jpg", "\x01\xff" * 20):
            assert caller.delete_later([URL, bad, URL]) == package.BAD_ID
        assert caller.call(package.DELETE_LATER, b"\x01\0\0\0") == package.BAD_REQUEST
        assert caller.call(package.DELETE_LATER, bytes(72)) == package.BAD_REQUEST
        assert caller.delete_later([]) == package.OK
    assert delete_log(own) == []


def test_both_instances_write_the_same_log_under_kill_9(own):
    """What was answered is there, whole, once; a torn line eats no other."""
    answered, lock = [], threading.Lock()

    def client(number):
        good = 0
        for turn in itertools.count():
            urls = [named(number * 1000000 + turn * 3 + i) for i in range(3)]
            try:
                with package.Caller(own.del_svr[number % 2]) as caller:
                    assert caller.delete_later(urls) == package.OK
            except (OSError, EOFError):
                time.sleep(0.01)
                continue
            with lock:
                answered.extend(urls)
            good += 1
            if good == 60:
                return
    threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    own.kill(f"del_svr-{own.del_svr[0]}")
    own.kill(f"del_svr-{own.del_svr[1]}")
    for thread in threads:
        thread.join()
    logged = [line.split(" ")[4] for line in delete_log(own) if line.count(" ") == 5]
    assert len(answered) == 8 * 60 * 3
    assert not set(answered) - set(logged)
    assert len(set(logged)) == len(logged)


# -- cs_del_svr

def stored(installation, count):
    """The ids of so many pictures, straight into the store."""
    noisy = pictures.noisy(5_000, seed=7)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            path = pathlib.Path(folder) / f"{number:06d}.jpg"
            path.write_bytes(pictures.with_comment(noisy, number))
        out = installation.picstore("put", "-j", "8", folder).stdout
    ids = [line.split("\t")[0] for line in out.splitlines()]
    assert len(ids) == count
    return ids


def test_a_delete_is_done_everywhere_when_it_is_answered(stack):
    ids = stored(stack, 5)
    for file_id in ids:
        for _ in range(2):
            assert web.get(stack.varnish, "/" + file_id).status == 200
    with package.Caller(stack.cs_del_svr[0]) as caller:
        assert caller.delete_now(ids) == package.OK
        for file_id in ids:
            assert web.get(stack.varnish, "/" + file_id).status in (404, 410)
            assert web.get(stack.lighttpd, "/" + file_id).status in (404, 410)
        assert caller.delete_now(ids) == package.OK, "gone already is success"
        assert caller.delete_now([ids[0], ids[0]]) == package.OK
    assert not set(ids) & set(stack.listed())


def test_one_malformed_url_and_nothing_is_deleted(stack):
    file_id, = stored(stack, 1)
    with package.Caller(stack.cs_del_svr[1]) as caller:
        assert caller.delete_now([file_id, "no/id"]) == package.BAD_ID
        assert caller.delete_now([]) == package.OK
    assert web.get(stack.varnish, "/" + file_id).status == 200


def receipts(installation, *words):
    out = installation.picstore("receipt", "--json", *words, check=False).stdout
    return [json.loads(line) for line in out.splitlines()]


def test_each_deletion_leaves_a_receipt(stack):
    file_id, = stored(stack, 1)
    with package.Caller(stack.cs_del_svr[0]) as caller:
        assert caller.delete_now([file_id], user=31) == package.OK
    one, = receipts(stack, file_id)
    assert one["id"] == file_id and one["closed"]
    asked, = one["asked"]
    assert (asked["user"], asked["hostid"]) == (31, 7) and asked["peer"].startswith("127.0.0.1:")
    assert [(p["place"], p["outcome"].split(",")[0]) for p in one["places"]] == [
        ("store", "deleted"), (f"127.0.0.1:{stack.varnish}", "purged"),
        ("metadata", "marked as deleted")]
    assert all(p["confirmed"] for p in one["places"])
    text = stack.picstore("receipt", "--check", file_id).stdout
    assert text.count("Now: gone") == 2
    with package.Caller(stack.cs_del_svr[1]) as caller:
        assert caller.delete_now([file_id]) == package.OK
    again = receipts(stack, file_id)[1]
    assert "already" in again["places"][0]["outcome"]


def test_what_was_cut_from_a_picture_goes_with_it(stack):
    source, *made = stored(stack, 3)
    with sqlite3.connect(stack.home / "data/cuts/cuts.db") as cuts:
        for box, cut in enumerate(made):
            cuts.execute("INSERT INTO made VALUES (?, 0, 0, 0, 0, ?, 1, ?, 0, 1)", (source, box, cut))
    with package.Caller(stack.cs_del_svr[0]) as caller:
        assert caller.delete_now([source]) == package.OK
    for file_id in [source, *made]:
        assert web.get(stack.varnish, "/" + file_id).status in (404, 410)
    one, = receipts(stack, source)
    assert {p["picture"] for p in one["places"]} == {source, *made}
    assert len(one["places"]) == 7 and one["closed"]
    assert receipts(stack, made[0])[0]["id"] == source


class Cache(http.server.BaseHTTPRequestHandler):
    """Answers as a cache that has nothing."""
    def do_PURGE(self):
        self.server.purged.append(self.headers["xkey-purge"])
        self.answer(200)

    def do_GET(self):
        self.answer(404)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def other_cache(own):
    """A second cache that is down; other_cache() starts it."""
    port = own.base + 85
    own.stop()
    own.configure({("varnish", "servers"): f"127.0.0.1:{own.varnish} 127.0.0.1:{port}"})
    started = []

    def start():
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Cache)
        server.purged = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
        return server
    # Without --port-base, which would set the caches anew.
    own.launch_as_configured()
    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def test_a_cache_that_was_down_is_purged_when_it_is_back(own, other_cache):
    ids = stored(own, 20)
    with package.Caller(own.cs_del_svr[0]) as caller:
        assert caller.delete_now(ids) == package.UNREACHABLE
        assert caller.delete_now(ids[:1]) == package.UNREACHABLE
    for file_id in ids:
        assert web.get(own.varnish, "/" + file_id).status in (404, 410)
    open_ones = receipts(own, "--outstanding")
    assert {r["id"] for r in open_ones} == set(ids)
    assert sorted(len(r["asked"]) for r in open_ones) == [1] * 19 + [2]
    server = other_cache()
    until(lambda: not receipts(own, "--outstanding"), "nothing is outstanding")
    assert set(server.purged) == set(ids)


def test_a_cache_that_left_the_configuration_is_purged_when_it_returns(own, other_cache):
    file_id, = stored(own, 1)
    with package.Caller(own.cs_del_svr[0]) as caller:
        assert caller.delete_now([file_id]) == package.UNREACHABLE
    both = f"127.0.0.1:{own.varnish} 127.0.0.1:{own.base + 85}"

    def with_caches(caches):
        own.configure({("varnish", "servers"): caches})
        for port in own.cs_del_svr:
            own.kill(f"cs_del_svr-{port}")
    with_caches(f"127.0.0.1:{own.varnish}")
    until(lambda: not receipts(own, "--outstanding"), "nobody waits for it")
    one, = receipts(own, file_id)
    place = next(p for p in one["places"] if str(own.base + 85) in p["place"])
    assert one["closed"] and not place["confirmed"] and place["left"]
    assert "not in the configuration" in place["error"]
    text = own.picstore("receipt", file_id).stdout
    assert "NOT CONFIRMED" in text and "1 places that have left" in text
    server = other_cache()
    with_caches(both)
    until(lambda: server.purged == [file_id], "it is purged")
    until(lambda: not receipts(own, "--outstanding"), "nothing is outstanding")
    one, = receipts(own, file_id)
    assert all(p["confirmed"] for p in one["places"])


def test_what_a_killed_instance_left_is_done_when_it_is_back(own, other_cache):
    ids = stored(own, 200)
    other_cache()
    calls = []
    for chunk in range(0, 200, 50):
        caller = package.Caller(own.cs_del_svr[0])
        body = package.delete_body(ids[chunk:chunk + 50])
        caller.socket.sendall(package.package(package.DELETE_NOW, body))
        calls.append(caller)
    until(lambda: receipts(own, "--outstanding"), "receipts are open")
    own.kill(f"cs_del_svr-{own.cs_del_svr[0]}")
    begun = {r["id"] for r in receipts(own, "--outstanding")}
    until(lambda: not receipts(own, "--outstanding"), "nothing is outstanding")
    for file_id in begun:
        assert web.get(own.varnish, "/" + file_id).status in (404, 410)
    for caller in calls:
        caller.socket.close()


# -- full disks

@pytest.fixture
def full(installations):
    """full(setting, file): that file is on a disk of 2 MiB; fill() leaves no room on it."""
    made = []

    def make(setting, name):
        one = installations()
        disk = one.scratch / "disk"
        disk.mkdir()
        if not mount_tmpfs(disk, "2m"):
            pytest.skip("only root may mount a small disk")
        made.append((one, disk))
        one.settings = {setting: disk / name, ("del_file_ontime", "every"): "1d"}
        one.start("--no-self-test")

        def fill():
            with open(disk / "filler", "wb", buffering=0) as file:
                for size in (65536, 4096, 1):
                    with contextlib.suppress(OSError):
                        for _ in range(65536):
                            file.write(bytes(size))

        def empty():
            (disk / "filler").unlink()
        return one, disk / name, fill, empty
    yield make
    for one, disk in made:
        one.stop()
        subprocess.run(["umount", "-l", disk], check=True)


def delete_until_full(call, ids):
    """What `call` answers 0 to, up to the first that is refused; with that one."""
    for at, file_id in enumerate(ids):
        ret = call([file_id])
        if ret != package.OK:
            assert ret == FULL
            return ids[:at], file_id
    raise AssertionError("the disk is not full")


def test_no_room_for_receipts(full):
    one, database, fill, empty = full(("cs_del_svr", "receipts"), "receipts.db")
    ids = stored(one, 300)
    fill()
    with package.Caller(one.cs_del_svr[0]) as caller:
        # The write-ahead log may have room for some more.
        done, refused = delete_until_full(caller.delete_now, ids)
        for file_id in done:
            receipt, = receipts(one, file_id)
            assert receipt["closed"] and all(p["confirmed"] for p in receipt["places"])
        there = set(one.listed())
        assert not there & set(done)
        for file_id in ids[len(done) + 1:]:
            assert caller.delete_now([file_id]) == FULL
        # None is touched whose receipt is not on the disk first.
        left = set(ids) - set(one.listed()) - set(done)
        assert all(receipts(one, file_id) for file_id in left) and left <= {refused}
        empty()
        until(lambda: caller.delete_now(ids) == package.OK, "it goes on")
    assert not set(ids) & set(one.listed())
    assert receipts(one, "--outstanding") == []


def test_no_room_for_the_delete_log(full):
    one, log, fill, empty = full(("del_svr", "log"), "delete.log")
    first, *ids = [named(number) for number in range(500)]
    with package.Caller(one.del_svr[0]) as caller:
        assert caller.delete_later([first]) == package.OK
        fill()
        # The page that the log ends in has room, so that one line is cut in two.
        done, refused = delete_until_full(caller.delete_later, ids)
        assert 10 < len(done) < 100
        assert caller.delete_later([refused] * 50) == FULL
        assert [line.split(" ")[4] for line in log.read_text().splitlines()] == [first, *done]
        assert log.read_bytes().endswith(b"\n"), "nothing half written is left"
        empty()
        assert caller.delete_later(ids[len(done):]) == package.OK
    assert [line.split(" ")[4] for line in log.read_text().splitlines()] == [first, *ids]


def test_no_room_to_remember_cuts(full):
    one, _, fill, empty = full(("cut_svr", "made"), "cuts.db")
    with fdfs.Client(one.storage["g01"]) as storage:
        source = storage.upload(pictures.drawn(640, 480, "PNG", seed=9), "png")
    made, sizes = {}, range(20, 320)

    def ask(caller, size):
        body = struct.pack("<I64sIIiiII", 7, source.encode(), 0, 0, 0, 0, size, size)
        caller.socket.sendall(package.package(package.CUT, body))
        *_, ret, answer = caller.reply()
        return ret, answer[4:].rstrip(b"\0").decode()
    fill()
    with package.Caller(one.cut_svr[0]) as caller:
        for size in sizes:
            ret, url = ask(caller, size)
            if ret != package.OK:
                break
            made[size] = url
        assert ret == FULL
        assert set(one.listed()) == {source, *made.values()}, "no picture that nobody knows of"
        assert all(ask(caller, size) == (package.OK, url) for size, url in made.items())
        empty()
        ret, made[size] = ask(caller, size)
        assert ret == package.OK
    with package.Caller(one.cs_del_svr[0]) as caller:
        assert caller.delete_now([source]) == package.OK
    assert one.listed() == []


# -- del_file_ontime, undelete

def ontime(installation, *options, check=True):
    """A run of its own, straight to a cs_del_svr."""
    done = subprocess.run(
        [*ONTIME, "-c", installation.conf, "--once",
         "--older-than", "0", *options, installation.home / "log/delete.log",
         f"127.0.0.1:{installation.cs_del_svr[1]}"],
        capture_output=True, text=True, timeout=120, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture
def calm(installations):
    """Whose own timer does not come within the test."""
    return installations({("del_file_ontime", "every"): "1d"}).start("--no-self-test")


def test_a_picture_is_deleted_when_its_time_has_come(calm):
    ids = stored(calm, 250)
    with package.Caller(calm.del_svr[0]) as caller:
        assert caller.delete_later(ids[:125], user=1) == package.OK
        assert caller.delete_later(ids[125:], user=2) == package.OK
    ontime(calm, "--older-than", "1h")
    assert set(ids) <= set(calm.listed()), "before its time nothing is deleted"
    dry = ontime(calm, "--dry-run").stdout
    assert [line.split("\t")[0] for line in dry.splitlines()] == ids
    assert set(ids) <= set(calm.listed())
    assert "250 deleted, 0 taken back, 0 failed" in ontime(calm).stderr
    assert not set(ids) & set(calm.listed())
    assert [receipts(calm, i)[0]["asked"][0]["user"] for i in (ids[0], ids[-1])] == [1, 2]
    assert "0 deleted" in ontime(calm).stderr
    assert sorted(p.name for p in (calm.home / "log").glob("delete.log*")) == [
        "delete.log.lock", "delete.log.run"]


def test_undelete_takes_a_picture_out_again(calm):
    ids = stored(calm, 3)
    with package.Caller(calm.del_svr[0]) as caller:
        assert caller.delete_later(ids) == package.OK
        assert calm.picstore("undelete", ids[0]).returncode == 0
        assert calm.picstore("undelete", ids[1]).returncode == 0
        assert calm.picstore("undelete", ids[0], check=False).returncode == 1, "it waits no more"
        assert caller.delete_later([ids[1]]) == package.OK, "changed their mind once more"
    assert "2 deleted, 2 taken back" in ontime(calm).stderr
    assert set(calm.listed()) & set(ids) == {ids[0]}
    gone = calm.picstore("undelete", ids[1], check=False)
    assert gone.returncode == 1 and "does not wait" in gone.stderr


def test_damaged_lines_are_set_aside_and_the_others_done(calm):
    ids = stored(calm, 3)
    log = calm.home / "log/delete.log"
    with package.Caller(calm.del_svr[0]) as caller:
        assert caller.delete_later(ids[:1]) == package.OK
        with open(log, "a") as file:
            file.write("2026-11-22T15:30:00.123Z delete 7 100")
        assert caller.delete_later(ids[1:2]) == package.OK
        wrong = log.read_text().splitlines()[0].replace(" 7 ", " 8 ")
        with open(log, "a") as file:
            file.write(wrong + "\n")
        assert caller.delete_later(ids[2:]) == package.OK
    done = ontime(calm, check=False)
    assert done.returncode == 1 and "ALARM" in done.stderr and "3 deleted" in done.stderr
    bad = (calm.home / "log/delete.log.bad").read_text().splitlines()
    assert bad == ["2026-11-22T15:30:00.123Z delete 7 100", wrong]
    assert not set(ids) & set(calm.listed())


def test_a_store_that_is_down_holds_up_its_own_pictures_alone(calm):
    ids = stored(calm, 8)
    assert {i[:3] for i in ids} == {"g01", "g02"}
    with package.Caller(calm.del_svr[0]) as caller:
        assert caller.delete_later(ids) == package.OK
    calm.down("storage_server-g02")
    done = ontime(calm, check=False)
    assert done.returncode == 1 and "4 deleted, 0 taken back, 4 failed" in done.stderr
    late = [i for i in ids if i.startswith("g02")]
    assert "has been begun" in calm.picstore("undelete", late[0], check=False).stderr
    calm.up("storage_server-g02")
    until(lambda: ontime(calm, check=False).returncode == 0, "the rest is done")
    assert not set(ids) & set(calm.listed())


def test_nobody_who_deletes_and_the_run_begins_there_next_time(calm):
    ids = stored(calm, 3)
    with package.Caller(calm.del_svr[0]) as caller:
        assert caller.delete_later(ids) == package.OK
    calm.down(f"cs_del_svr-{calm.cs_del_svr[1]}")
    done = ontime(calm, check=False)
    assert done.returncode == 1 and "ended early" in done.stderr
    calm.up(f"cs_del_svr-{calm.cs_del_svr[1]}")
    assert "3 deleted" in ontime(calm).stderr
    assert not set(ids) & set(calm.listed())


def test_killed_runs_skip_nothing(calm):
    ids = stored(calm, 300)
    with package.Caller(calm.del_svr[0]) as caller:
        for file_id in ids:
            assert caller.delete_later([file_id]) == package.OK
    for _ in range(5):
        left = len(calm.listed())
        run = subprocess.Popen(
            [*ONTIME, "-c", calm.conf, "--batch", "10",
             "--older-than", "0", calm.home / "log/delete.log", f"127.0.0.1:{calm.cs_del_svr[0]}"],
            stderr=subprocess.DEVNULL)
        until(lambda: len(calm.listed()) < left or run.poll() is not None, "it is at work")
        run.kill()
        run.wait()
    ontime(calm)
    assert not set(ids) & set(calm.listed())


def test_the_timer_of_the_supervisor(installations):
    one = installations()
    one.settings = {("del_file_ontime", "every"): "200ms", ("del_file_ontime", "older_than"): "0",
                    ("del_file_ontime", "proxy"): f"127.0.0.1:{one.cs_del_svr[0]}"}
    one.start("--no-self-test")
    file_id, = stored(one, 1)
    with package.Caller(one.del_svr[1]) as caller:
        assert caller.delete_later([file_id]) == package.OK
    until(lambda: file_id not in one.listed(), "it is deleted")
    assert one.state("del_file_ontime")[:2] == (True, True)


def test_ten_thousand_deletes_leave_nothing_in_any_cache(stack):
    """In packages of different sizes, to both instances at a time, all warm in the cache."""
    ids = stored(stack, 10_000)
    chunks = [ids[at:at + 1250] for at in range(0, len(ids), 1250)]

    def statuses(pool):
        return {s for found in pool.map(lambda c: web.statuses(stack.varnish, c), chunks) for s in found}

    def delete(number):
        with package.Caller(stack.cs_del_svr[number % 2], timeout=300) as caller:
            for at in range(number * 2500, number * 2500 + 2500, 250 * (number + 1)):
                end = min(at + 250 * (number + 1), number * 2500 + 2500)
                assert caller.delete_now(ids[at:end]) == package.OK
    with ThreadPoolExecutor(4) as pool:
        assert statuses(pool) == {200}
        list(pool.map(delete, range(4)))
        assert statuses(pool) <= {404, 410}
    assert not set(ids) & set(stack.listed())
    assert receipts(stack, "--outstanding") == []
    stack.picstore("receipt", "--check", "-", stdin="\n".join(ids[::20]))


# -- hostile packages

def hostile(random, file_id):
    """Bytes that are nearly a package, or nothing like one."""
    cmd = random.choice((package.DELETE_LATER, package.DELETE_NOW, package.CUT))
    url = bytearray(file_id.encode().ljust(64, b"\0"))
    url[random.randrange(len(file_id))] ^= random.randrange(1, 256)
    for _ in range(random.choice((0, 0, 1, 30))):
        url[random.randrange(len(file_id), 64)] = random.randrange(256)
    count = random.choice((1, 2, 3, 0, 1000, 2 ** 31, 2 ** 32 - 1))
    body = struct.pack("<I", count) + b"".join(
        struct.pack("<I", random.getrandbits(32)) + bytes(url) for _ in range(min(count, 3)))
    if cmd == package.CUT:
        numbers = [random.choice((0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 77)) for _ in range(6)]
        body = struct.pack("<I", 7) + bytes(url) + struct.pack("<6I", *numbers)
    body = body[:random.choice((len(body), len(body), random.randrange(len(body) + 1)))]
    length = random.choice((package.HEADER.size + len(body),) * 4 + (0, 17, 18, 2 ** 31, 2 ** 32 - 1))
    return package.HEADER.pack(length, cmd, 1, 1, random.choice((0, 9))) + body


def test_hostile_packages_break_nothing(own):
    """Each service answers or closes, none dies, and no picture that was not named goes."""
    random, (file_id,) = Random(1), stored(own, 1)
    parts = {f"{name}-{port}": port for name in ("del_svr", "cs_del_svr", "cut_svr")
             for port in getattr(own, name)[:1]}
    pids = {part: own.pid(part) for part in parts}
    for port in parts.values():
        for _ in range(300):
            with package.Caller(port) as caller, contextlib.suppress(ConnectionError):
                data = b"".join(hostile(random, file_id) for _ in range(random.randrange(1, 4)))
                at = random.randrange(len(data))
                caller.socket.sendall(data[:at])
                caller.socket.sendall(data[at:])
                caller.socket.shutdown(socket.SHUT_WR)
                while caller.socket.recv(65536):
                    pass
    assert {part: own.pid(part) for part in parts} == pids
    assert file_id in own.listed()

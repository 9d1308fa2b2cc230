"""Noise, wrong protocols, bombs, slow and silent peers at every port; a client goes on being served.

PICSTORE_FLOODS=1 makes the floods 10,000 connections; PICSTORE_SEED=N repeats a run."""
import http.client
import itertools
import socket
import struct

import pytest

import fdfs
import frames
import hostile
import pictures
import web
from installation import Installation
from wait import until

MB = 1024
SERVICES = ["cut_svr", "del_svr", "cs_del_svr", "sess_check_svr", "metadata_dbsvr"]
# What hostile peers may cost a program, docs/reliability.md.
MOST_KB = {"varnishd": 640 * MB, "lighttpd": 96 * MB, "tracker_server": 48 * MB,
           "storage_server-g01": 64 * MB, "admin_proxy": 64 * MB, "download.fcgi": 32 * MB,
           "upload.cgi": 64 * MB, **{name: 48 * MB for name in SERVICES}}
HTTP = ["varnishd", "lighttpd"]
FDFS = ["tracker_server", "storage_server-g01"]
FRAMED = ["admin_proxy", *SERVICES]
FASTCGI = ["download.fcgi", "upload.cgi"]


class Town:
    """An installation that all these tests attack."""

    def __init__(self):
        self.home = Installation({("sess_check_svr", "checks"): "100000"}).start("--no-self-test")
        self.picture = pictures.drawn(seed=400)
        self.key = self.home.token()
        self.url = "/" + web.stored(web.upload(self.home.varnish, self.key, self.picture))
        with fdfs.Client(self.home.storage["g01"]) as storage:
            self.file_id = storage.upload(self.picture)
        base = self.home.base
        self.ports = {
            "varnishd": self.home.varnish, "lighttpd": self.home.lighttpd,
            "tracker_server": self.home.tracker, "storage_server-g01": self.home.storage["g01"],
            "admin_proxy": self.home.admin_proxy, "cut_svr": base + 77, "del_svr": base + 73,
            "cs_del_svr": base + 75, "sess_check_svr": base + 80, "metadata_dbsvr": base + 81}

    def part(self, name):
        return f"{name}-{self.ports[name]}" if name in ("cut_svr", "del_svr", "cs_del_svr") else name

    def connect(self, name):
        def door():
            if name in FASTCGI:
                sock = socket.socket(socket.AF_UNIX)
                sock.settimeout(hostile.PATIENCE_S)
                sock.connect(str(self.sockets[name]))
                return sock
            return socket.create_connection(("127.0.0.1", self.ports[name]), hostile.PATIENCE_S)
        return door

    @property
    def sockets(self):
        run = self.home.home / "run"
        return {"download.fcgi": next(run.rglob("download.sock")), "upload.cgi": next(run.rglob("upload.sock"))}

    def polite(self, name):
        """What a well-behaved client does there, once, on a connection of its own."""
        def get():
            answer = web.get(self.ports.get(name, self.home.varnish), self.url)
            assert (answer.status, answer.body) == (200, self.picture), answer
            answer = web.get(self.ports.get(name, self.home.varnish), self.url.replace("M00/00", "M00/FF"))
            assert answer.status == 404, answer  # which no cache keeps

        def upload():
            web.stored(web.upload(self.home.varnish, self.key, self.picture))

        def ask_tracker():
            with fdfs.Client(self.home.tracker) as tracker:
                assert tracker.store("g01")[0] == "g01"

        def ask_storage():
            with fdfs.Client(self.home.storage["g01"]) as storage:
                assert storage.download(self.file_id) == self.picture

        def ping():
            with frames.Client(self.ports[name]) as client:
                assert client.ask(frames.PING) == (0, b"")
        return {"tracker_server": ask_tracker, "storage_server-g01": ask_storage,
                "upload.cgi": upload}.get(name, get if name in HTTP + FASTCGI else ping)

    def besieged(self, name):
        return hostile.besieged(name, self.home.pid(self.part(name)), self.polite(name), MOST_KB[name])


@pytest.fixture(scope="module")
def town():
    one = Town()
    yield one
    one.home.remove()


EVERYWHERE = HTTP + FDFS + FRAMED + FASTCGI


@pytest.mark.parametrize("name", EVERYWHERE)
def test_noise_and_other_protocols(town, name):
    dice = hostile.seeded(f"noise {name}")
    door = town.connect(name)
    with town.besieged(name):
        for words in hostile.foreign_words():
            hostile.say_and_go(door, words)
        for _ in range(500 if hostile.LONG else 50):
            hostile.say_and_go(door, dice.randbytes(dice.randrange(1, 5000)))


def fdfs_lies():
    lengths = [-1, -(1 << 63), (1 << 63) - 1, 1 << 62, 1 << 40, (1 << 32) - 1, 1 << 31]
    for command, length in itertools.product((*range(8, 40), *range(80, 130), 191), lengths):
        yield struct.pack(">qBB", length, command, 0) + bytes(100)


def framed_lies():
    for cmd in (frames.CUT, frames.DELETE_LATER, frames.DELETE_NOW, frames.SESSION,
                *range(frames.METADATA, frames.METADATA + 16)):
        for length in (0, 17, 1 << 20, (1 << 31) - 1, (1 << 32) - 1):
            yield frames.HEADER.pack(length, cmd, 1, 1, 0) + bytes(100)
        for count in (0, 1, 1 << 16, 1 << 26, (1 << 31) - 1, (1 << 32) - 1):
            for size in (4, 68, 92, 1000):
                yield frames.package(cmd, struct.pack("<I", count) + b"\xff" * size)


@pytest.mark.parametrize("name", FDFS + FRAMED)
def test_lengths_and_counts_that_lie(town, name):
    lies = list(fdfs_lies() if name in FDFS else framed_lies())
    dice = hostile.seeded(f"lies {name}")
    with town.besieged(name):
        for lie in lies if hostile.LONG else dice.sample(lies, 120):
            hostile.say_and_go(town.connect(name), lie)


@pytest.mark.parametrize("name", FDFS + FRAMED)
def test_requests_without_end_whose_replies_nobody_reads(town, name):
    """Such a peer is not read further once its replies pile up."""
    if name == "storage_server-g01":
        group, text = fdfs.split(town.file_id)
        one = fdfs.package(fdfs.DOWNLOAD, struct.pack(">qq", 0, 0) + group + text)
    else:
        one = fdfs.package(fdfs.GROUPS) if name in FDFS else frames.package(frames.PING)
    with town.besieged(name):
        for _ in range(8 if hostile.LONG else 2):
            taken = hostile.pour(town.connect(name), b"", one * (65536 // len(one)), 256 << 20)
            assert taken < 200 << 20, "it stops reading"


@pytest.mark.parametrize("name", FDFS + FRAMED)
def test_bodies_that_are_announced_and_do_not_come(town, name):
    """From as many connections as there is memory for, and more."""
    if name in FDFS:
        head = struct.pack(">qBB", 15 + (60 << 20), fdfs.UPLOAD, 0)
    else:
        head = frames.HEADER.pack(1 << 20, frames.DELETE_NOW, 1, 1, 0)
    with town.besieged(name) as polite, hostile.Flood(town.connect(name), 300, head + bytes(5000)):
        seen = polite.served()
        until(lambda: polite.failure or polite.served() > seen + 20, "it is served")


def test_nobody_holds_the_memory_for_uploads_by_dawdling(town):
    """Six contents of 64 MB are announced, of which four fill the memory, and hardly come."""
    picture = pictures.noisy(20_000, seed=402)

    def upload():
        with fdfs.Client(town.home.storage["g01"], source=("127.0.0.2", 0)) as storage:
            storage.upload(picture)
    head = struct.pack(">qBB", 64 << 20, fdfs.UPLOAD, 0) + struct.pack(">Bq6s", 255, (64 << 20) - 15, b"jpg")
    part = "storage_server-g01"
    with hostile.besieged(part, town.home.pid(part), upload, MOST_KB[part]) as polite, \
            hostile.Flood(town.connect(part), 6, head + bytes(5000)):
        seen = polite.served()
        until(lambda: polite.failure or polite.served() > seen + 20, "uploads go on", 25)


@pytest.mark.parametrize("name", HTTP + FDFS + FRAMED)
@pytest.mark.parametrize("first", [b"", b"G"], ids=["silent", "half a header"])
def test_a_flood_of_connections(town, name, first):
    """More than a program takes; clients that come later are served."""
    # Behind lighttpd's max-connections others wait: it is for varnishd alone to be there.
    count = 2000 if name == "lighttpd" else hostile.FLOOD
    with town.besieged(name) as polite, hostile.Flood(town.connect(name), count, first) as flood:
        assert flood.count > count * 0.9
        seen = polite.served()
        until(lambda: polite.failure or polite.served() > seen + 20, "it is served")


BOMBS = {
    "a header without end": (b"GET / HTTP/1.1\r\nX: ", b"a" * 65536),
    "headers without end": (b"GET / HTTP/1.1\r\n", b"X-A: b\r\n" * 8192),
    "a path without end": (b"GET /", b"a" * 65536),
    "a method without end": (b"", b"A" * 65536),
    "lines without end": (b"", b"\r\n" * 32768),
    "requests without end": (b"", b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n" * 2000),
    "a body without end": (b"POST /upload.cgi HTTP/1.1\r\nHost: x\r\nContent-Length: 9223372036854775807\r\n\r\n",
                           b"a" * 65536),
    "chunks without end": (b"POST /upload.cgi HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
                           b"1000\r\n" + b"a" * 4096 + b"\r\n"),
    "a chunk without end": (b"POST /upload.cgi HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                            b"7fffffffffffffff\r\n", b"a" * 65536),
    "a chunk's name without end": (b"POST /upload.cgi HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;",
                                   b"a" * 65536),
    "a body of a GET without end": (b"GET /x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", b"a" * 65536),
}


@pytest.mark.parametrize("name", HTTP)
def test_http_without_end(town, name):
    with town.besieged(name):
        for first, piece in BOMBS.values():
            hostile.pour(town.connect(name), first, piece, (256 if hostile.LONG else 24) << 20)


@pytest.mark.parametrize("name", HTTP)
def test_ranges_and_headers_by_the_thousand(town, name):
    heads = ["Range: bytes=" + ",".join(f"{i}-{i + 1}" for i in range(5000)),
             "\r\n".join(f"X-{i}: {i}" for i in range(500)), "Cookie: " + "a=b; " * 5000,
             "If-None-Match: " + '"x", ' * 5000, "Accept-Encoding: " + "gzip," * 4000]
    with town.besieged(name):
        for head in heads * (10 if hostile.LONG else 2):
            request = f"GET {town.url} HTTP/1.1\r\nHost: x\r\n{head}\r\nConnection: close\r\n\r\n"
            with town.connect(name)() as sock:
                try:
                    sock.sendall(request.encode())
                    answer = sock.recv(65536)
                except ConnectionError:  # it had heard enough
                    answer = b""
                assert answer == b"" or answer[9:12] in (b"200", b"400", b"413", b"431"), answer
                hostile.drain(sock)


def test_slow_uploads_leave_downloads_alone(town):
    head = (b"POST /upload.cgi HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            b"Content-Length: 5000000\r\n\r\n--x\r\n")
    count = 1500 if hostile.LONG else 400
    with town.besieged("varnishd") as polite, hostile.Flood(town.connect("varnishd"), count, head):
        seen = polite.served()
        until(lambda: polite.failure or polite.served() > seen + 20, "it is served")


def test_slow_uploads_of_one_address_leave_the_others_theirs(town):
    """More of them than all connections for uploads: an address has a sixteenth of these."""
    head = (b"POST /upload.cgi HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            b"Content-Length: 5000000\r\n\r\n--x\r\n")
    others = [f"127.0.0.{last}" for last in range(2, 18)]
    picture = pictures.photo(4)
    key = town.home.token()

    def through(address):
        try:
            stored = web.stored(web.upload(town.home.varnish, key, picture, source=(address, 0)))
        except (ConnectionError, http.client.HTTPException):
            return False  # the share is used up
        town.home.picstore("rm", stored)
        return True
    with hostile.Flood(town.connect("varnishd"), 2500, head):
        until(lambda: not through("127.0.0.1"), "one share is used up")
        served = [address for address in others if through(address)]
        # Who has the same share by chance, which an address always has, has to wait.
        assert len(served) >= 14, served
    until(lambda: through("127.0.0.1"), "its own uploads go on")


def test_slow_readers_of_large_files(town):
    """They hold the storage's memory for replies; others are served all the same."""
    large = pictures.noisy(4_000_000, seed=401)
    with fdfs.Client(town.home.storage["g01"]) as storage:
        group, text = fdfs.split(storage.upload(large))
    ask = fdfs.package(fdfs.DOWNLOAD, struct.pack(">qq", 0, 0) + group + text)

    def door():
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(hostile.PATIENCE_S)
        sock.connect(("127.0.0.1", town.ports["storage_server-g01"]))
        return sock
    with hostile.besieged("storage_server-g01", town.home.pid("storage_server-g01"),
                          town.polite("storage_server-g01"), 450 * MB) as polite:
        with hostile.Flood(door, 150, ask):
            seen = polite.served()
            until(lambda: polite.failure or polite.served() > seen + 20, "it is served")

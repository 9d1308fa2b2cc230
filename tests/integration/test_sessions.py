"""test_sessions.py - sess_check_svr, as clients and upload.cgi meet it."""
import base64
import hashlib
import json
import shutil
import socket
import struct
import subprocess
import threading
import time

import pytest

import pictures
import web
from installation import SAMPLE
from service import Picstore, PicstoreError, free_port, refusal
from wait import until

FOLDER = "[sess_check_svr]\nfolder = {scratch}/counts\n"
KEY_EXPIRED, BAD_KEY, NO_KEY, BAD_REQUEST, SERVICE_DOWN, TOO_LARGE = 19, 18, 17, 1, 25, 6
FULL, IO = 7, 14


class Redis:
    def __init__(self, folder):
        self.folder, self.port, self.process = folder, free_port(), None

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder,
             "--appendonly", "yes", "--appendfsync", "always", "--save", ""],
            stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

        def answers():
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as one:
                    one.sendall(b"PING\r\n")
                    return one.recv(7) == b"+PONG\r\n"
            except OSError:
                return False
        until(answers, "redis-server answers")

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = None


@pytest.fixture(params=["sqlite", "redis"])
def store(request, tmp_path):
    """The settings of a store, and what is to be killed to lose its memory."""
    if request.param == "sqlite":
        yield FOLDER, None
        return
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server")
    redis = Redis(tmp_path)
    redis.start()
    yield FOLDER + f"redis = 127.0.0.1:{redis.port}\n", redis
    redis.kill()


def test_a_key_may_be_used_thirty_times_even_across_a_restart(services, store):
    settings, redis = store
    service = services("sess_check_svr", settings).start()
    for key in (service.token("--jwt"), service.token("--des")):
        with service.client() as client:
            assert client.session_look(key) == (0, 30)
            for used in range(1, 13):
                assert client.session_use(key) == (used, 30 - used)
        service.kill()
        if redis:
            redis.kill()
            redis.start()
        service.start()
        with service.client() as client:
            assert client.session_look(key) == (12, 18)
            for used in range(13, 31):
                assert client.session_use(key) == (used, 30 - used)
            assert refusal(client.session_use, key) == KEY_EXPIRED
        assert service.stop() == 0
        service.start()
        with service.client() as client:
            assert refusal(client.session_use, key) == KEY_EXPIRED
            assert client.session_look(key) == (30, 0)


def test_racing_connections_share_one_count(services, store):
    service = services("sess_check_svr", store[0]).start()
    key = service.token()
    passed, refused = [], []

    def use():
        with service.client() as client:
            for _ in range(10):
                try:
                    passed.append(client.session_use(key)[0])
                except PicstoreError as error:
                    refused.append(error.code)
    threads = [threading.Thread(target=use) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(passed) == list(range(1, 31))
    assert refused == [KEY_EXPIRED] * 130


def test_a_key_is_not_counted_anew_in_its_last_second(services, store):
    """A use that was found good in that second may be counted in the next."""
    service = services("sess_check_svr", store[0]).start()
    key = service.token("--expires", "2s").encode()
    ends = time.time() + 2
    body = struct.pack("<HH", 0, len(key)) + key
    passed = []

    def use():
        with service.dial() as one:
            while time.time() < ends + 1:
                one.sendall(b"".join(package(0x10B5, seq, body) for seq in range(200)))
                codes = [r[3] for r in replies(one, 200)]
                assert set(codes) <= {0, KEY_EXPIRED}
                passed.append(codes.count(0))
    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) > 3 and sum(passed) == 30


def test_no_use_is_forgotten_when_it_is_killed_under_load(services):
    service = services("sess_check_svr", FOLDER + "checks = 1000000\n").start()
    key = service.token()
    acknowledged = []

    def use():
        with service.client() as client:
            try:
                while True:
                    acknowledged.append(client.session_use(key)[0])
            except PicstoreError as error:
                assert error.code == 0  # it was killed
    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: len(acknowledged) > 500, "uses")
    service.kill()
    for thread in threads:
        thread.join()
    assert len(set(acknowledged)) == len(acknowledged)
    service.start()
    with service.client() as client:
        used, _ = client.session_look(key)
        assert max(acknowledged) <= used <= len(acknowledged) + len(threads)


def test_nothing_passes_on_a_full_disk(services):
    service = services("sess_check_svr", FOLDER + "verify = no\n").start(most_file_bytes=200_000)
    codes, passed = set(), 0
    with service.client() as client:
        for number in range(3000):
            try:
                client.session_use(f"key {number}")
                passed += 1
            except PicstoreError as error:
                codes.add(error.code)
    assert codes and codes <= {FULL, IO} and passed > 0
    service.stop()
    service.start()
    with service.client() as client:
        assert sum(client.session_look(f"key {number}")[0] for number in range(3000)) == passed
        assert client.session_use("key 1")[0] >= 1


def test_two_instances_share_one_database(services):
    one, other = services("sess_check_svr", FOLDER).start(), services("sess_check_svr", FOLDER)
    other.configure(FOLDER.replace("{scratch}", str(one.scratch)))
    other.start()
    key = one.token()
    with one.client() as first, other.client() as second:
        for used in range(1, 31):
            assert (first if used % 2 else second).session_use(key)[0] == used
        assert refusal(first.session_use, key) == KEY_EXPIRED
        assert refusal(second.session_use, key) == KEY_EXPIRED


def test_keys_that_are_not_good_are_refused_and_not_counted(services):
    service, other = services("sess_check_svr", FOLDER).start(), services("sess_check_svr", FOLDER)
    (other.scratch / "secret/jwt").write_text("another secret of forty characters, too")
    with service.client() as client:
        assert refusal(client.session_use, "") == NO_KEY
        assert refusal(client.session_use, "nonsense") == BAD_KEY
        assert refusal(client.session_use, "k" * 1025) == BAD_REQUEST
        assert refusal(client.session_use, other.token("--jwt")) == BAD_KEY
        # the old sample key: its secret is another
        assert refusal(client.session_use, "631068f6bbe0ace200afe7be7fd033c8dd77f950e5ce32b5") == BAD_KEY
        assert client.session_use(service.token(), user=4711) == (1, 29)


def test_whatever_is_sent_is_counted_when_keys_are_not_verified(services):
    service = services("sess_check_svr", FOLDER + "verify = no\nchecks = 2\n").start()
    with service.client() as client:
        assert client.session_use("a session of somebody else's") == (1, 1)
        assert client.session_use("a session of somebody else's") == (2, 0)
        assert refusal(client.session_use, "a session of somebody else's") == KEY_EXPIRED


@pytest.mark.parametrize("limit", ["0", "-1", "1000001", "x"])
def test_a_limit_that_is_none_is_refused(services, limit):
    service = services("sess_check_svr", FOLDER + f"checks = {limit}\n")
    done = subprocess.run([service.program, "-c", service.conf, "--port", str(service.port)],
                          check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "checks" in done.stderr


def test_no_key_is_stored(services):
    service = services("sess_check_svr", FOLDER).start()
    key = service.token()
    with service.client() as client:
        client.session_use(key)
    service.stop()
    stored = b"".join(path.read_bytes() for path in (service.scratch / "counts").iterdir())
    assert key.encode() not in stored and key.split(".")[2].encode() not in stored
    claims = key.split(".")[1]
    issued = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["iat"]
    assert hashlib.sha256(key.encode() + struct.pack("<Q", issued)).digest() in stored


def test_redis_gone_and_back(services, tmp_path):
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server")
    redis = Redis(tmp_path)
    redis.start()
    service = services("sess_check_svr", FOLDER + f"redis = 127.0.0.1:{redis.port}\nredis_timeout = 500ms\n").start()
    key = service.token()
    with service.client() as client:
        assert client.session_use(key) == (1, 29)
        redis.kill()
        assert refusal(client.session_use, key) == SERVICE_DOWN
        redis.start()
        assert client.session_use(key) == (2, 28)
    redis.kill()


def test_big_endian(services):
    service = services("sess_check_svr", FOLDER + "[services]\nbyte_order = big\n").start()
    with service.client(order="big") as client:
        assert client.session_use(service.token()) == (1, 29)
    with service.client() as client:
        assert refusal(client.ping) in (0, TOO_LARGE)


def package(cmd, seq, body=b"", length=None):
    return struct.pack("<IHIII", 18 + len(body) if length is None else length, cmd, 77, seq, 0) + body


def replies(one, count):
    got = []
    data = b""
    while len(got) < count:
        part = one.recv(65536)
        assert part, got
        data += part
        while len(data) >= 18 and len(data) >= struct.unpack_from("<I", data)[0]:
            length, cmd, user, seq, ret = struct.unpack_from("<IHIII", data)
            got.append((cmd, user, seq, ret, data[18:length]))
            data = data[length:]
    assert not data
    return got


def test_packages_glued_together_and_cut_anywhere(services):
    service = services("sess_check_svr", FOLDER + "checks = 1000000\n").start()
    key = service.token().encode()
    body = struct.pack("<HH", 0, len(key)) + key
    stream = b"".join(package(0x10B5, seq, body) for seq in range(500))
    with service.dial() as one:
        one.sendall(stream)
        assert [(seq, ret) for _, _, seq, ret, _ in replies(one, 500)] == [(n, 0) for n in range(500)]
    stream = package(0x10B5, 1, body) + package(4711, 2, b"who knows") + package(0x10B0, 3)
    for cut in range(1, len(stream), 7):
        with service.dial() as one:
            one.sendall(stream[:cut])
            one.sendall(stream[cut:])
            assert [r[2:4] for r in replies(one, 3)] == [(1, 0), (2, 15), (3, 0)]


def test_hostile_packages(services):
    service = services("sess_check_svr", FOLDER + "[services]\nmax_package = 4K\ntimeout = 1s\n").start()
    bodies = [b"", b"\0", struct.pack("<HH", 0, 5), struct.pack("<HH", 0, 65535) + b"x" * 100,
              struct.pack("<HH", 2, 1) + b"k", struct.pack("<HH", 0, 1) + b"kk"]
    with service.dial() as one:
        one.sendall(b"".join(package(0x10B5, n, body) for n, body in enumerate(bodies)))
        assert [r[3] for r in replies(one, len(bodies))] == [BAD_REQUEST] * len(bodies)
    for length in (0, 17):
        with service.dial() as one:
            one.sendall(package(0x10B5, 1, length=length))
            assert one.recv(1) == b""
    for length in (4097, 0x7fffffff, 0xffffffff):
        with service.dial() as one:
            one.sendall(package(0x10B5, 1, length=length) + b"x" * 100)
            assert replies(one, 1)[0][3] == TOO_LARGE
            assert one.recv(1) == b""
    with service.dial() as one:  # never whole
        one.sendall(package(0x10B5, 1, length=100))
        assert one.recv(1) == b""
    with service.client() as client:
        client.ping()


def test_strangers_are_refused(services):
    service = services("sess_check_svr", FOLDER + "[services]\nallow = 10.0.0.0/8\n").start()
    with service.dial() as one:
        assert one.recv(1) == b""
    assert "is not on [services] allow" in service.log()


def test_the_command(services):
    service = services("sess_check_svr", FOLDER + "checks = 2\n").start()
    server, key = f"127.0.0.1:{service.port}", service.token()
    assert service.picstore("session", "-s", server, key).stdout == f"0\t2\t{key}\n"
    assert service.picstore("session", "-s", server, "--use", key).stdout == f"1\t1\t{key}\n"
    line = json.loads(service.picstore("session", "-s", server, "--use", "--json", key).stdout)
    assert line == {"session_key": key, "used": 2, "left": 0}
    failed = service.picstore("session", "-s", server, "--use", "--json", key, check=False)
    assert failed.returncode == 1 and json.loads(failed.stdout)["error"] == "key_expired"


def test_the_option_port(services):
    service = services("sess_check_svr", FOLDER).start()
    until(lambda: f"sess_check_svr {service.port} info: ready" in service.log(), "its name")
    assert (service.scratch / f"run/sess_check_svr-{service.port}.stat").exists()
    for wrong in ("0", "65536", "70x", "", "-1"):
        done = subprocess.run([service.program, "-c", service.conf, "--port", wrong], check=False,
                              capture_output=True, text=True, timeout=30)
        assert done.returncode == 2 and "is not a port" in done.stderr


# -- with upload.cgi

def test_a_key_uploads_thirty_times(stack):
    key, picture = stack.token(), SAMPLE.read_bytes()
    with Picstore("127.0.0.1", stack.sess_check_svr) as client:
        for _ in range(28):
            client.session_use(key)
        for _ in range(2):
            web.stored(web.upload(stack.varnish, key, picture))
        web.refused(web.upload(stack.varnish, key, picture), 403, "key_expired")
        assert client.session_look(key) == (30, 0)
    web.stored(web.upload(stack.varnish, stack.token(), picture))


def test_uploads_are_refused_while_nobody_counts(own):
    key, picture = own.token(), pictures.drawn()
    own.down("sess_check_svr")
    web.refused(web.upload(own.varnish, key, picture), 503, "service_down")
    own.up("sess_check_svr")
    web.stored(web.upload(own.varnish, key, picture))


def test_uploads_go_on_where_nobody_is_to_count(installations):
    one = installations({("upload", "session_check"): ""}).start("--no-self-test")
    one.down("sess_check_svr")
    web.stored(web.upload(one.varnish, one.token(), pictures.drawn()))

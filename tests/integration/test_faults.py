"""What must hold when things break: nothing acknowledged is lost, nothing else appears."""
import errno
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import fdfs
import pictures
import web
from installation import mount_tmpfs
from photos import EVERY_STATE, PENDING, Photos
from service import Picstore, refusal
from wait import until


def numbered(number):
    return pictures.with_comment(pictures.noisy(20_000, seed=80), number)


def http_uploader(installation, key):
    def one(number):
        picture = numbered(number)
        try:
            answer = web.upload(installation.varnish, key, picture)
        except OSError:
            return None
        if answer.status != 200:
            assert answer.status in (503, 502, 500), answer
            return None
        return web.stored(answer), picture
    return one


def check_against_store(installation, acknowledged, sent):
    """All that was acknowledged is there; what else is there is a whole picture that was
    under way, sent but not answered."""
    contents = dict(acknowledged)
    assert len(contents) == len(acknowledged), "an id was given out twice"
    for file_id, picture in contents.items():
        assert web.get(installation.lighttpd, "/" + file_id).body == picture
    more = set(installation.listed()) - set(contents)
    for file_id in more:
        answer = web.get(installation.lighttpd, "/" + file_id)
        assert answer.status == 200 and answer.body in sent
    assert installation.picstore("fsck").returncode == 0
    return more


def test_storage_killed_in_the_middle_of_500_uploads(installations):
    """16 clients; kill -9 after each 100 or so answers."""
    own = installations({("sess_check_svr", "checks"): 1000}).start("--no-self-test")
    key = own.token()
    count, clients = 500, 16
    done = threading.Semaphore(0)
    upload = http_uploader(own, key)

    def one(number):
        try:
            return upload(number)
        finally:
            done.release()
    with ThreadPoolExecutor(clients) as pool:
        results = [pool.submit(one, number) for number in range(count)]
        for kill in range(4):
            for _ in range(100):
                done.acquire()
            own.kill(("storage_server-g01", "storage_server-g02")[kill % 2])
        acknowledged = [r.result() for r in results if r.result()]
    assert len(acknowledged) > count / 2
    more = check_against_store(own, acknowledged, {numbered(i) for i in range(count)})
    assert len(more) <= 4 * clients
    web.stored(web.upload(own.varnish, key, pictures.drawn()))


def test_storage_killed_under_plain_fastdfs_clients(own):
    """The same without HTTP in between: uploads go on until the connection breaks."""
    acknowledged, lock = [], threading.Lock()
    enough = threading.Semaphore(0)

    def client(number):
        with fdfs.Client(own.storage["g01"]) as storage:
            for i in range(1000):
                picture = numbered(number * 1000 + i)
                try:
                    file_id = storage.upload(picture)
                except (fdfs.Closed, OSError):
                    return
                with lock:
                    acknowledged.append((file_id, picture))
                enough.release()
    threads = [threading.Thread(target=client, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        enough.acquire()
    own.kill("storage_server-g01")
    for thread in threads:
        thread.join()
    sent = {numbered(n * 1000 + i) for n in range(16) for i in range(len(acknowledged) // 4)}
    assert len(check_against_store(own, acknowledged, sent)) <= 16


def test_a_torn_tail(own):
    """A crash in the middle of a write leaves half a record behind the last one."""
    with fdfs.Client(own.storage["g01"]) as storage:
        first = storage.upload(numbered(1))
        second = storage.upload(numbered(2))
    own.down("storage_server-g01")
    volume = next(v for v in own.volumes("g01") if numbered(2) in v.read_bytes())
    data = volume.read_bytes()
    at = data.index(numbered(2))
    with open(volume, "r+b") as file:
        file.seek(at + 1000)
        file.write(bytes(len(numbered(2)) - 1000))
    own.up("storage_server-g01")
    assert web.get(own.lighttpd, "/" + first).body == numbered(1)
    assert web.get(own.lighttpd, "/" + second).status in (404, 502)
    with fdfs.Client(own.storage["g01"]) as storage:
        third = storage.upload(numbered(3))
        assert third != second
        assert storage.download(third) == numbered(3)
        assert storage.download(first) == numbered(1)


@pytest.fixture
def small_disk(installations):
    """An installation whose g01 and g02 are on a disk of 24 MiB."""
    one = installations()
    disk = one.scratch / "disk"
    disk.mkdir()
    if not mount_tmpfs(disk, "24m"):
        pytest.skip("only root may mount a small disk")
    try:
        for group in ("g01", "g02"):
            (disk / group).mkdir()
            (disk / group).chmod(0o777)
            for key, value in (("store_path", disk / group), ("reserved_space", "2M"),
                               ("preallocate", "1M"), ("punch_delay", "0")):
                one.settings[(f"storage {group}", key)] = value
        yield one.start("--no-self-test")
    finally:
        one.stop()
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk(small_disk):
    one = small_disk
    key = one.token()
    kept = []
    for number in range(200):
        picture = pictures.with_comment(pictures.noisy(500_000, seed=81), number)
        answer = web.upload(one.varnish, key, picture)
        if answer.status != 200:
            break
        kept.append((web.stored(answer), picture))
    web.refused(answer, 507, "store_full")
    assert 15 << 20 < sum(len(picture) for _, picture in kept) < 24 << 20
    for file_id, picture in kept:
        assert web.get(one.varnish, "/" + file_id).body == picture, "reads go on"
    with fdfs.Client(one.storage["g01"]) as storage:
        with pytest.raises(fdfs.Failed) as failure:
            for number in range(100):
                storage.upload(pictures.noisy(500_000, seed=81))
        assert failure.value.status == fdfs.ENOSPC
    one.picstore("rm", *[file_id for file_id, _ in kept])
    picture = pictures.noisy(500_000, seed=82)
    answer = until(lambda: (a := web.upload(one.varnish, key, picture)).status == 200 and a,
                   "there is room again")
    assert web.get(one.varnish, "/" + web.stored(answer)).body == picture


@pytest.fixture
def small_metadata(installations):
    """An installation whose photos are on a disk of 2 MiB."""
    one = installations({("metadata_dbsvr", "pending"): "2s",
                         ("upload", "metadata"): "127.0.0.1:7004",
                         ("sess_check_svr", "checks"): "100000"})
    disk = one.scratch / "disk"
    disk.mkdir()
    if not mount_tmpfs(disk, "2m"):
        pytest.skip("only root may mount a small disk")
    try:
        one.settings[("metadata_dbsvr", "folder")] = disk / "photos"
        yield one.start("--no-self-test")
    finally:
        one.stop()
        subprocess.run(["umount", "-l", disk], check=True)


def fill(path, leave=0):
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC
        file.truncate(max(0, file.tell() - leave))


def all_rows(photos, states):
    rows, more, after = [], True, 0
    while more:
        more, page = photos.page(after=after, states=states)
        rows += page
        after = page[-1]["photoid"] if page else 0
    return rows


def test_a_full_disk_of_metadata(small_metadata):
    """No picture without its photo and no photo without its picture, wherever in an upload
    the disk gets full."""
    one, filler = small_metadata, small_metadata.scratch / "disk/filler"
    key = one.token("--uid", "7")
    client = Picstore("127.0.0.1", one.base + 81)
    photos = Photos(client)
    first = web.upload(one.varnish, key, numbered(0)).json()
    stored, number = [first["lloc"]], 0
    # Each time there is room for some more; what gets in when it is full differs.
    for leave in (0, 5000, 10_000, 40_000, 80_000):
        fill(filler, leave)
        with ThreadPoolExecutor(6) as pool:
            for _ in range(200):
                answers = list(pool.map(
                    lambda n: web.upload(one.varnish, key, numbered(n)),
                    range(number + 1, number + 25)))
                number += 24
                stored += [web.stored(a) for a in answers if a.status == 200]
                failed = [a for a in answers if a.status != 200]
                for answer in failed:
                    web.refused(answer, 507, "store_full")
                if len(failed) == 24:
                    break
            assert len(failed) == 24, "it is full"
        assert refusal(photos.put, uid=8, name="x" * 255) == 7
        assert photos.get(first["photoid"])["url"] == first["lloc"], "reads go on"
        filler.unlink()
        answer = web.upload(one.varnish, key, numbered(number + 1))
        number += 1
        stored.append(web.stored(answer))
    until(lambda: all_rows(photos, 1 << PENDING) == [], "what was cut off is forgotten")
    urls = [row["url"] for row in all_rows(photos, EVERY_STATE)]
    assert sorted(urls) == sorted(stored) == sorted(one.listed())
    client.close()


def test_tracker_gone_and_back(own):
    key, picture = own.token(), pictures.drawn(seed=83)
    file_id = web.stored(web.upload(own.varnish, key, picture))
    own.down("tracker_server")
    web.refused(web.upload(own.varnish, key, picture), 503, "store_down")
    assert web.get(own.varnish, "/" + file_id).body == picture, "a local read needs no tracker"
    own.up("tracker_server")
    answer = until(lambda: (a := web.upload(own.varnish, key, picture)).status == 200 and a,
                   "storages have reported again")
    web.stored(answer)


def test_a_storage_gone_and_back(own):
    key = own.token()
    in_group = {}
    for number in range(4):
        file_id = web.stored(web.upload(own.varnish, key, numbered(number)))
        in_group[file_id[:3]] = file_id
    own.down("storage_server-g01")
    with fdfs.Client(own.tracker) as tracker:
        until(lambda: {tracker.store()[0] for _ in range(4)} == {"g02"}, "left out", 1)
        assert tracker.ask(fdfs.STORE_IN, fdfs.group_field("g01")) == (fdfs.ENOENT, b"")
    for number in range(10, 16):
        assert web.stored(web.upload(own.varnish, key, numbered(number)))[:3] == "g02"
    own.down("storage_server-g02")
    until(lambda: web.upload(own.varnish, key, numbered(20)).status == 503, "no storage is up")
    web.refused(web.upload(own.varnish, key, numbered(20)), 503, "store_down")
    own.up("storage_server-g01")
    own.up("storage_server-g02")
    seen = set()
    def both():
        answer = web.upload(own.varnish, key, numbered(21))
        if answer.status == 200:
            seen.add(web.stored(answer)[:3])
        return seen == {"g01", "g02"}
    until(both, "both take uploads again")


def test_reads_when_the_store_is_down(installations):
    """Without the shortcut for local reads: 503 for what is not in the cache."""
    one = installations({("download", "local_read"): "no"}).start("--no-self-test")
    key = one.token()
    cached = web.stored(web.upload(one.varnish, key, numbered(1)))
    other = web.stored(web.upload(one.varnish, key, numbered(2)))
    assert web.get(one.varnish, "/" + cached).body == numbered(1)
    for part in ("storage_server-g01", "storage_server-g02"):
        one.down(part)
    answer = web.get(one.varnish, "/" + other)
    web.refused(answer, 503, "store_down")
    assert answer.headers["Retry-After"]
    assert web.get(one.varnish, "/" + cached).body == numbered(1), "the cache has it"
    for part in ("storage_server-g01", "storage_server-g02"):
        one.up(part)
    until(lambda: web.get(one.varnish, "/" + other).body == numbered(2), "it is back")


def test_lighttpd_gone_and_back(own):
    key = own.token()
    cached = web.stored(web.upload(own.varnish, key, numbered(1)))
    other = web.stored(web.upload(own.varnish, key, numbered(2)))
    web.get(own.varnish, "/" + cached)
    own.down("lighttpd")
    assert web.get(own.varnish, "/" + cached).body == numbered(1)
    web.refused(web.get(own.varnish, "/" + other), 503, "store_down")
    def probe_has_seen_it():
        try:
            return web.upload(own.varnish, key, numbered(3)).status == 503
        except OSError:
            return False  # piped to a gateway that is not there
    until(probe_has_seen_it, "the probe has seen it")
    own.up("lighttpd")
    until(lambda: web.get(own.varnish, "/" + other).body == numbered(2), "it is back")


def test_upload_cgi_killed_in_the_middle_of_a_request(own):
    """The client gets an answer that is no success, and nothing half-done is served."""
    key = own.token()
    with ThreadPoolExecutor(8) as pool:
        results = [pool.submit(http_uploader(own, key), number) for number in range(60)]
        for _ in range(3):
            own.kill("upload.cgi")
        acknowledged = [r.result() for r in results if r.result()]
    check_against_store(own, acknowledged, {numbered(i) for i in range(60)})
    web.stored(until(lambda: (a := web.upload(own.varnish, key, numbered(61))).status == 200 and a,
                     "uploads are taken"))


def test_a_client_that_stops_half_way(stack, session_key):
    picture = pictures.noisy(300_000, seed=84)
    body = web.form([("session_key", session_key), ("type", "jpg"), ("file", picture, "a.jpg", "image/jpeg")])
    before = set(stack.listed())
    for end in (0, 100, len(body) // 2, len(body) - 10):
        with web.connect(stack.varnish) as client:
            client.sendall(f"POST /upload.cgi HTTP/1.1\r\nHost: x\r\nContent-Type: {web.form_type()}\r\n"
                           f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:end])
            if end == 0:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # RST
    file_id = web.stored(web.upload(stack.varnish, session_key, pictures.drawn(seed=85)))
    assert set(stack.listed()) == before | {file_id}


def test_a_client_that_stops_reading(stack, session_key):
    picture = pictures.noisy(3_000_000, seed=86)
    file_id = web.stored(web.upload(stack.varnish, session_key, picture))
    for port in (stack.varnish, stack.lighttpd):
        clients = [web.connect(port) for _ in range(20)]
        for client in clients:
            client.sendall(f"GET /{file_id} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert web.get(port, "/" + file_id).body == picture
        for client in clients:
            client.close()


def test_a_thousand_idle_connections(stack, session_key):
    file_id = web.stored(web.upload(stack.varnish, session_key, pictures.drawn(seed=87)))
    idle = []
    try:
        for _ in range(1000):
            idle.append(web.connect(stack.varnish))
        assert web.get(stack.varnish, "/" + file_id).status == 200
        web.stored(web.upload(stack.varnish, session_key, pictures.drawn(seed=88)))
    finally:
        for client in idle:
            client.close()


def test_kill_9_of_everything(own):
    """As when the power goes: every part at once."""
    key = own.token()
    acknowledged = [http_uploader(own, key)(number) for number in range(20)]
    for part in ("storage_server-g01", "storage_server-g02", "tracker_server", "upload.cgi"):
        own.kill_at_once(part)
    own.process.kill()
    own.process.wait()
    own.start("--no-self-test")
    check_against_store(own, acknowledged, set())

"""The FastDFS protocol on the wire: what existing clients do, and what hostile ones try."""
import struct
import time
import zlib

import pytest

import fdfs
import pictures
import web
from wait import until


@pytest.fixture
def tracker(stack):
    with fdfs.Client(stack.tracker) as client:
        yield client


@pytest.fixture
def storage(stack):
    with fdfs.Client(stack.storage["g01"]) as client:
        yield client


# -- as clients use it

def test_a_plain_client_s_whole_life(stack, tracker):
    group, port, path = tracker.store()
    with fdfs.Client(port) as storage:
        file_id = storage.upload(b"hello", "txt", path)
        assert file_id.startswith(group + "/M") and file_id.endswith(".txt")
        assert len(file_id) == len(group) + 1 + 44
        assert tracker.fetch(file_id) == (group, port)
        assert tracker.fetch(file_id, fdfs.UPDATE) == (group, port)
        assert tracker.fetch(file_id, fdfs.FETCH_ALL) == (group, port)
        assert storage.download(file_id) == b"hello"
        assert storage.download(file_id, 1, 3) == b"ell"
        assert storage.download(file_id, 2, 100) == b"llo"
        size, when, crc = storage.info(file_id)
        assert (size, crc) == (5, zlib.crc32(b"hello"))
        assert abs(when - time.time()) < 60
        storage.delete(file_id)
        for command in (storage.delete, storage.download, storage.info):
            with pytest.raises(fdfs.Failed) as failure:
                command(file_id)
            assert failure.value.status == fdfs.ENOENT


def test_groups_take_turns(tracker):
    assert {tracker.store()[0] for _ in range(4)} == {"g01", "g02"}
    assert {tracker.store("g02")[0] for _ in range(3)} == {"g02"}


def test_every_storage_of_a_group(tracker, stack):
    for body, command in ((b"", fdfs.STORE_ALL), (fdfs.group_field("g01"), fdfs.STORE_ALL_IN)):
        answer = tracker.call(command, body)
        assert len(answer) == 16 + 23 + 1
    assert struct.unpack(">q", answer[31:39])[0] == stack.storage["g01"]


def test_figures(tracker, stack):
    one = tracker.call(fdfs.GROUP, fdfs.group_field("g01"))
    assert len(one) == 113 and fdfs.text(one[:17]) == "g01"
    groups = tracker.call(fdfs.GROUPS)
    assert [fdfs.text(groups[i:i + 17]) for i in range(0, len(groups), 113)] == ["g01", "g02"]
    storages = tracker.call(fdfs.STORAGES, fdfs.group_field("g01"))
    assert len(storages) == 487
    assert storages[0] == 7, "active"
    assert struct.unpack(">q", storages[130:138])[0] == stack.storage["g01"]
    total, free = struct.unpack(">qq", storages[74:90])
    assert 0 < free <= total


def test_an_empty_file(storage):
    file_id = storage.upload(b"", "")
    assert storage.info(file_id)[0] == 0
    assert storage.download(file_id) == b""
    storage.delete(file_id)


@pytest.mark.parametrize("ext", ["", "a", "jpg", "tar.gz", "a-b_c"])
def test_extensions(storage, ext):
    file_id = storage.upload(b"abc", ext)
    assert file_id.endswith("." + ext if ext else file_id[-7:]) and len(file_id) == 48
    assert storage.download(file_id) == b"abc"


def test_what_came_by_fastdfs_is_served_over_http(stack, storage):
    picture = pictures.drawn(seed=70)
    file_id = storage.upload(picture)
    assert web.get(stack.varnish, "/" + file_id).body == picture
    uploaded = web.stored(web.upload(stack.varnish, stack.token(), pictures.drawn(seed=71)))
    with fdfs.Client(stack.storage[uploaded[:3]]) as client:
        assert client.download(uploaded) == pictures.drawn(seed=71)


def test_active_test_and_quit(stack):
    for port in (stack.tracker, stack.storage["g01"]):
        with fdfs.Client(port) as client:
            assert client.ask(fdfs.ACTIVE_TEST) == (0, b"")
            client.send(fdfs.package(fdfs.ACTIVE_TEST, status=2))
            assert client.reply() == (0, b"")
            client.send(fdfs.package(fdfs.QUIT))
            with pytest.raises(fdfs.Closed):
                client.read(1)


# -- packages that come in pieces, or many at once

def test_pipelining(stack, storage, tracker):
    tracker.send(fdfs.package(fdfs.STORE) * 50)
    assert [tracker.reply()[0] for _ in range(50)] == [0] * 50
    contents = [b"number %d" % i for i in range(50)]
    storage.send(b"".join(
        fdfs.package(fdfs.UPLOAD, struct.pack(">Bq6s", 255, len(c), b"txt") + c) for c in contents))
    ids = []
    for _ in contents:
        status, body = storage.reply()
        assert status == 0
        ids.append(fdfs.text(body[:16]) + "/" + body[16:].decode())
    requests = b""
    for file_id in ids:
        group, name = fdfs.split(file_id)
        requests += fdfs.package(fdfs.DOWNLOAD, struct.pack(">qq", 0, 0) + group + name)
    storage.send(requests)
    assert [storage.reply() for _ in ids] == [(0, c) for c in contents]


def test_a_byte_at_a_time(stack):
    content = b"slowly"
    with fdfs.Client(stack.storage["g01"]) as client:
        for byte in fdfs.package(fdfs.UPLOAD, struct.pack(">Bq6s", 255, len(content), b"txt") + content):
            client.send(bytes([byte]))
        status, body = client.reply()
        assert status == 0
        group, name = body[:16], body[16:]
        for byte in fdfs.package(fdfs.DOWNLOAD, struct.pack(">qq", 0, 0) + group + name):
            client.send(bytes([byte]))
        assert client.reply() == (0, content)


def test_half_a_package_and_goodbye(stack):
    content = pictures.noisy(500_000)
    before = stack.listed()
    for end in (5, 10, 17, 25, 26, 1000, len(content)):
        with fdfs.Client(stack.storage["g01"]) as client:
            body = struct.pack(">Bq6s", 255, len(content), b"jpg") + content
            client.send(fdfs.package(fdfs.UPLOAD, body)[:end])
    with fdfs.Client(stack.storage["g01"]) as client:
        file_id = client.upload(b"still here")
    assert set(stack.listed()) == set(before) | {file_id}


# -- what makes no sense

def refuses(client, command, body, status=fdfs.EINVAL):
    """That status, and then a close or a connection that still works."""
    found, _ = client.ask(command, body)
    assert found == status
    try:
        assert client.ask(fdfs.ACTIVE_TEST) == (0, b"")
    except (fdfs.Closed, ConnectionError):
        pass


def test_unknown_commands(stack):
    for port in (stack.tracker, stack.storage["g01"]):
        for command in (0, 1, 50, 110, 210, 255):
            with fdfs.Client(port) as client:
                refuses(client, command, b"")


@pytest.mark.parametrize("length", [-1, -(1 << 63), (1 << 63) - 1, 1 << 40])
def test_absurd_lengths(stack, length):
    for port in (stack.tracker, stack.storage["g01"]):
        with fdfs.Client(port) as client:
            client.send(fdfs.package(fdfs.STORE if port == stack.tracker else fdfs.UPLOAD, length=length))
            try:
                assert client.reply()[0] in (fdfs.EINVAL, 27)
                with pytest.raises(fdfs.Closed):
                    client.read(1)
            except fdfs.Closed:
                pass
        with fdfs.Client(port) as client:
            assert client.ask(fdfs.ACTIVE_TEST) == (0, b"")


def test_sizes_that_do_not_add_up(stack):
    for size in (-1, 0, 2, 4, 1 << 40, -(1 << 63)):
        with fdfs.Client(stack.storage["g01"]) as client:
            refuses(client, fdfs.UPLOAD, struct.pack(">Bq6s", 255, size, b"txt") + b"abc")
    for offset, count in ((-1, 0), (0, -1), (100, 0), (1 << 62, 1 << 62)):
        with fdfs.Client(stack.storage["g01"]) as client:
            file_id = client.upload(b"abc")
            group, name = fdfs.split(file_id)
            refuses(client, fdfs.DOWNLOAD, struct.pack(">qq", offset, count) + group + name)


@pytest.mark.parametrize("name", [
    b"x" * 300, b"x" * 128, b"", b"x", b"M00/00/00/", b"../../../../../../etc/passwd",
    b"M00/00/00/../../../../etc/passwd1234567890123",
    b"M00/0a/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg", b"M00/00/00/" + b"\xff" * 34,
    b"M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQR/768.jpg", b"MFF/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg",
    b"A" * 100_000])
def test_names_that_are_none(stack, name):
    for command, before in ((fdfs.DOWNLOAD, struct.pack(">qq", 0, 0)), (fdfs.DELETE, b""), (fdfs.INFO, b"")):
        with fdfs.Client(stack.storage["g01"]) as client:
            try:
                status, _ = client.ask(command, before + fdfs.group_field("g01") + name)
                assert status in (fdfs.ENOENT, fdfs.EINVAL)
            except (fdfs.Closed, ConnectionError):
                pass
    with fdfs.Client(stack.tracker) as client:
        try:
            status, _ = client.ask(fdfs.FETCH, fdfs.group_field("g01") + name)
            assert status in (0, fdfs.ENOENT, fdfs.EINVAL)  # it decodes, it does not know
        except (fdfs.Closed, ConnectionError):
            pass
    for port in (stack.tracker, stack.storage["g01"]):
        with fdfs.Client(port) as client:
            assert client.ask(fdfs.ACTIVE_TEST) == (0, b"")


def test_a_foreign_group(storage):
    group, name = fdfs.split("g02/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg")
    refuses(storage, fdfs.INFO, group + name)


def test_an_unknown_group(tracker):
    for command, body in ((fdfs.STORE_IN, fdfs.group_field("nobody")), (fdfs.GROUP, fdfs.group_field("nobody")),
                          (fdfs.FETCH, fdfs.group_field("nobody") + b"M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg")):
        assert tracker.ask(command, body) == (fdfs.ENOENT, b"")
    assert tracker.ask(fdfs.ACTIVE_TEST) == (0, b"")


@pytest.mark.parametrize("ext", [b"../etc", b"a/b", b"\xff\xfe", b"jp g"])
def test_bad_extensions(stack, ext):
    with fdfs.Client(stack.storage["g01"]) as client:
        refuses(client, fdfs.UPLOAD, struct.pack(">Bq6s", 255, 3, ext) + b"abc")


def test_a_store_path_that_is_not_there(stack):
    with fdfs.Client(stack.storage["g01"]) as client:
        refuses(client, fdfs.UPLOAD, struct.pack(">Bq6s", 9, 3, b"txt") + b"abc")


def test_the_body_of_a_refused_upload_is_not_taken_for_requests(stack):
    """A large body behind an early error: drained, or the connection ends; never an answer more."""
    content = fdfs.package(fdfs.ACTIVE_TEST) * 100_000
    with fdfs.Client(stack.storage["g01"]) as client:
        body = struct.pack(">Bq6s", 9, len(content), b"txt") + content
        try:
            client.send(fdfs.package(fdfs.UPLOAD, body))
            assert client.reply()[0] == fdfs.EINVAL
            client.send(fdfs.package(fdfs.INFO, fdfs.group_field("g01") +
                                     b"M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"))
            assert client.reply()[0] == fdfs.ENOENT
        except (fdfs.Closed, ConnectionError):
            pass


def test_damaged_bytes_are_never_sent(own):
    """Not in parts either: the whole file is checked before the first byte of a range."""
    content = pictures.noisy(300_000, seed=90)
    with fdfs.Client(own.storage["g01"]) as client:
        good, bad = client.upload(b"good"), client.upload(content)
        assert client.download(bad) == content
        volume = own.volumes("g01")[0]
        at = volume.read_bytes().index(content[200_000:200_064])
        with open(volume, "r+b") as file:
            file.seek(at)
            file.write(bytes([content[200_000] ^ 1]))
        for offset, count in ((0, 0), (0, 1), (200_000, 1), (len(content) - 1, 1)):
            with pytest.raises(fdfs.Failed) as failure:
                client.download(bad, offset, count)
            assert failure.value.status == 5
        assert client.download(good) == b"good"
        until(lambda: any("ALARM" in line and bad[4:] in line
                          for line in own.log("storage_server-g01").splitlines()), "an alarm")
        with open(volume, "r+b") as file:
            file.seek(at)
            file.write(content[200_000:200_001])
        assert client.download(bad) == content, "it was the disk's fault, and is asked again"


def test_a_thousand_idle_connections(stack):
    idle = []
    try:
        for _ in range(1000):
            idle.append(fdfs.Client(stack.storage["g01"]))
        with fdfs.Client(stack.storage["g01"]) as client:
            file_id = client.upload(b"among many")
            assert client.download(file_id) == b"among many"
        assert idle[0].ask(fdfs.ACTIVE_TEST) == (0, b"")
        assert idle[-1].ask(fdfs.ACTIVE_TEST) == (0, b"")
    finally:
        for client in idle:
            client.socket.close()
    until(lambda: fdfs.Client(stack.storage["g01"]).ask(fdfs.ACTIVE_TEST) == (0, b""), "an answer")


def test_the_layouts_of_older_clusters(installations):
    one = installations({("fdfs", "record_layout"): "105-612"}).start("--no-self-test")
    with fdfs.Client(one.tracker) as tracker:
        assert len(tracker.call(fdfs.GROUPS)) == 2 * 105
        assert len(tracker.call(fdfs.STORAGES, fdfs.group_field("g01"))) == 612


def test_wide_addresses(installations):
    one = installations({("fdfs", "ip_width"): "46"}).start("--no-self-test")
    with fdfs.Client(one.tracker) as tracker:
        assert len(tracker.call(fdfs.STORE)) == 70
    file_id = web.stored(web.upload(one.varnish, one.token(), pictures.drawn()))
    assert web.get(one.varnish, "/" + file_id).body == pictures.drawn()

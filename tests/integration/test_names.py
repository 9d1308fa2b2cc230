"""What FastDFS finds by its name: slave files, appender files, metadata."""
import base64
import contextlib
import json
import sqlite3
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

import fdfs
import package
import pictures
import web
from wait import until


@pytest.fixture
def storage(stack):
    with fdfs.Client(stack.storage["g01"]) as client:
        yield client


def fails(status, call, *args):
    with pytest.raises(fdfs.Failed) as failure:
        call(*args)
    assert failure.value.status == status


def closes(client, status, command, body):
    """That answer, and then the end of the connection."""
    assert client.ask(command, body) == (status, b"")
    with pytest.raises((fdfs.Closed, ConnectionError)):
        client.ask(fdfs.ACTIVE_TEST)


# -- slave files

def test_a_slave_file(storage):
    master = storage.upload(b"master", "jpg")
    slave = storage.upload_slave(master, "_150x150", b"slave", "png")
    assert slave == master[:-4] + "_150x150.png"
    assert storage.download(slave) == b"slave"
    assert storage.download(slave, 1, 3) == b"lav"
    size, when, crc = storage.info(slave)
    assert (size, crc) == (5, zlib.crc32(b"slave")) and abs(when - time.time()) < 60
    fails(fdfs.EEXIST, storage.upload_slave, master, "_150x150", b"other", "png")
    assert storage.ask(fdfs.ACTIVE_TEST) == (0, b""), "after 17 the connection stays"
    assert storage.download(slave) == b"slave"
    storage.delete(master)
    assert storage.download(slave) == b"slave", "a master leaves its slaves"
    storage.delete(slave)
    for command in (storage.delete, storage.download, storage.info):
        fails(fdfs.ENOENT, command, slave)


def test_slaves_are_named_as_fastdfs_does(storage):
    master = storage.upload(b"m", "jpg")
    plain = storage.upload(b"m", "")
    assert storage.upload_slave(master, "_b", b"1") == master[:-4] + "_b"
    assert storage.upload_slave(plain, "_a", b"2", "jpg") == plain + "_a.jpg"
    first = storage.upload_slave(master, "_1", b"3", "jpg")
    second = storage.upload_slave(first, "_2", b"4", "jpg")
    assert second == master[:-4] + "_1_2.jpg"
    assert storage.upload_slave(storage.upload(b"m", "tar.gz"), "_c", b"5").endswith("_c")
    assert [storage.download(x) for x in (master[:-4] + "_b", first, second)] == [b"1", b"3", b"4"]
    assert sorted(storage.slaves(master)) == sorted([master[:-4] + "_b", first, second])
    assert storage.slaves(plain) == [plain + "_a.jpg"]
    assert storage.slaves(second) == []


def test_slaves_that_cannot_be(stack, storage):
    master = storage.upload(b"m", "jpg")
    gone = storage.upload(b"gone", "jpg")
    storage.delete(gone)
    fails(fdfs.ENOENT, storage.upload_slave, gone, "_1", b"x", "jpg")
    for prefix, ext in ((b"", b"jpg"), (b"-m", b""), (b"a/b", b"jpg"), (b"_1", b"j/g"), (b"..", b"/"),
                        (b"1", b"jp"), (b"\xff", b"jpg")):
        with fdfs.Client(stack.storage["g01"]) as client:
            name = fdfs.split(master)[1]
            closes(client, fdfs.EINVAL, fdfs.SLAVE, struct.pack(">qq16s6s", len(name), 1, prefix, ext) + name + b"x")
    for name_len, size in ((43, 1), (45, 1), (44, 2), (44, 0), (-1, 1), (1 << 62, 1), (44, -1), (300, 1)):
        with fdfs.Client(stack.storage["g01"]) as client:
            closes(client, fdfs.EINVAL, fdfs.SLAVE,
                   struct.pack(">qq16s6s", name_len, size, b"_q", b"jpg") + fdfs.split(master)[1] + b"x")
    assert storage.slaves(master) == []


def test_the_longest_names_of_slaves(storage):
    one = storage.upload(b"m", "jpg")
    with pytest.raises(fdfs.Failed) as failure:
        while True:
            one = storage.upload_slave(one, "_234567890123456", b"x", "jpg")
            assert len(one) <= 4 + 127
    assert failure.value.status == fdfs.EINVAL and len(one) > 100


# -- appender files

def test_the_life_of_an_appender_file(storage):
    name = storage.upload_appender(b"12345", "log")
    assert name.endswith(".log") and len(name) == 48
    storage.append(name, b"678")
    assert storage.download(name) == b"12345678"
    storage.modify(name, 2, b"XY")
    assert storage.download(name) == b"12XY5678"
    storage.modify(name, 8, b"9")
    storage.append(name, b"")
    storage.modify(name, 0, b"")
    assert storage.download(name) == b"12XY56789"
    size, _, crc = storage.info(name)
    assert (size, crc) == (9, zlib.crc32(b"12XY56789"))
    storage.truncate(name, 4)
    assert storage.download(name) == b"12XY"
    storage.truncate(name, 7)
    assert storage.download(name) == b"12XY\0\0\0"
    storage.truncate(name, 4)
    storage.set_metadata(name, b"a\x02b")
    final = storage.finish(name)
    assert len(final) == 48 and final != name and final.endswith(".log")
    assert final[:13] == name[:13] and final[-7:] == name[-7:], "folder and pad digits stay"
    assert storage.download(final) == b"12XY"
    assert storage.info(final)[::2] == (4, zlib.crc32(b"12XY"))
    assert storage.metadata(final) == b"a\x02b"
    for call in (storage.download, storage.info, storage.delete, storage.finish, storage.metadata):
        fails(fdfs.ENOENT, call, name)
    fails(fdfs.ENOENT, storage.append, name, b"x")
    storage.delete(final)
    fails(fdfs.ENOENT, storage.download, final)


def test_the_name_of_an_appender_says_that_it_is_one(storage):
    name = storage.upload_appender(b"12345")
    raw = base64.urlsafe_b64decode(name.split("/")[-1][:27] + "=")
    field, crc = struct.unpack(">QI", raw[8:])
    assert field >> 63 and field >> 58 & 1 and not field >> 59 & 1 and field & 0xFFFFFFFF == 0
    assert crc == zlib.crc32(b"12345")


def test_an_empty_appender_file(storage):
    name = storage.upload_appender(b"", "")
    assert storage.download(name) == b"" and storage.info(name)[0] == 0
    storage.append(name, b"x" * 200_000)
    storage.append(name, b"y" * 70_000)
    assert storage.download(name) == b"x" * 200_000 + b"y" * 70_000
    assert storage.download(name, 199_999, 2) == b"xy"
    storage.modify(name, 65_535, b"zz")
    assert storage.download(name, 65_534, 4) == b"xzzx"
    final = storage.finish(name)
    assert storage.info(final)[0] == 270_000
    assert storage.download(final, 269_999) == b"y"


def test_only_appender_files_can_be_changed(stack, storage):
    picture = storage.upload(b"picture")
    slave = storage.upload_slave(picture, "_s", b"slave", "jpg")
    final = storage.finish(storage.upload_appender(b"final"))
    gone = storage.upload(b"gone")
    storage.delete(gone)
    for file_id, status in ((picture, fdfs.EINVAL), (slave, fdfs.EINVAL), (final, fdfs.EINVAL), (gone, fdfs.ENOENT)):
        name = fdfs.split(file_id)[1]
        for command, body in ((fdfs.APPEND, struct.pack(">qq", len(name), 1) + name + b"x"),
                              (fdfs.MODIFY, struct.pack(">qqq", len(name), 0, 1) + name + b"x"),
                              (fdfs.TRUNCATE, struct.pack(">qq", len(name), 1) + name),
                              (fdfs.FINISH, name)):
            with fdfs.Client(stack.storage["g01"]) as client:
                if status == fdfs.EINVAL:
                    closes(client, status, command, body)
                else:
                    assert client.ask(command, body) == (status, b"")
                    assert client.ask(fdfs.ACTIVE_TEST) == (0, b"")
    assert [storage.download(x) for x in (picture, slave, final)] == [b"picture", b"slave", b"final"]


def test_changes_that_make_no_sense(stack, storage):
    file_id = storage.upload_appender(b"12345")
    name = fdfs.split(file_id)[1]
    bodies = [(fdfs.MODIFY, struct.pack(">qqq", len(name), offset, 1) + name + b"x")
              for offset in (6, -1, 1 << 62, -(1 << 63))]
    bodies += [(fdfs.APPEND, struct.pack(">qq", name_len, size) + name + b"x")
               for name_len, size in ((44, 2), (44, 0), (44, -1), (-44, 1), (43, 1), (300, 1), (0, 45), (1 << 62, 1))]
    bodies += [(fdfs.TRUNCATE, struct.pack(">qq", 44, size) + name + tail) for size, tail in ((-1, b""), (1, b"x"))]
    bodies += [(fdfs.FINISH, name + b"/"), (fdfs.FINISH, b""), (fdfs.FINISH, b"x" * 300), (fdfs.APPEND, b""),
               (fdfs.TRUNCATE, b"abc")]
    for command, body in bodies:
        with fdfs.Client(stack.storage["g01"]) as client:
            closes(client, fdfs.EINVAL, command, body)
    assert storage.download(file_id) == b"12345"


def test_an_appender_file_has_a_greatest_size(storage):
    name = storage.upload_appender(b"12345")
    for size in ((64 << 20) + 1, 1 << 40, (1 << 63) - 1):
        fails(fdfs.EFBIG, storage.truncate, name, size)
    storage.truncate(name, 64 << 20)
    fails(fdfs.EFBIG, storage.append, name, b"x")
    assert storage.info(name)[0] == 64 << 20
    assert storage.download(name, (64 << 20) - 3) == b"\0\0\0"
    storage.delete(name)


# -- metadata

def test_metadata(storage):
    file_id = storage.upload(b"with metadata")
    fails(fdfs.ENOENT, storage.metadata, file_id)
    storage.set_metadata(file_id, b"width\x02100\x01height\x0280")
    assert storage.metadata(file_id) == b"height\x0280\x01width\x02100"
    storage.set_metadata(file_id, b"width\x02999\x01author\x02me", "M")
    assert storage.metadata(file_id) == b"author\x02me\x01height\x0280\x01width\x02999"
    storage.set_metadata(file_id, b"no mark\x01a\x021")
    assert storage.metadata(file_id) == b"a\x021"
    storage.set_metadata(file_id, b"")
    fails(fdfs.ENOENT, storage.metadata, file_id)
    storage.set_metadata(file_id, b"a\x021", "M")
    storage.delete(file_id)
    fails(fdfs.ENOENT, storage.metadata, file_id)
    fails(fdfs.ENOENT, storage.set_metadata, file_id, b"a\x021")


def test_metadata_belongs_to_one_name(storage):
    master = storage.upload(b"m")
    slave = storage.upload_slave(master, "_1", b"s", "jpg")
    storage.set_metadata(master, b"a\x02master")
    storage.set_metadata(slave, b"a\x02slave")
    assert storage.metadata(master) == b"a\x02master"
    storage.delete(master)
    assert storage.metadata(slave) == b"a\x02slave"
    storage.delete(slave)
    fails(fdfs.ENOENT, storage.metadata, slave)
    assert storage.upload_slave(storage.upload(b"m"), "_1", b"s", "jpg")


def test_metadata_that_is_refused(stack, storage):
    file_id = storage.upload(b"m")
    storage.set_metadata(file_id, b"a\x021")
    group, name = fdfs.split(file_id)

    def refused(body):
        with fdfs.Client(stack.storage["g01"]) as client:
            closes(client, fdfs.EINVAL, fdfs.SET_METADATA, body)
    for flag in (b"X", b"\0", b"o"):
        refused(struct.pack(">qqc", 44, 3, flag) + group + name + b"a\x022")
    for name_len, text_len in ((44, 2), (44, 4), (43, 3), (-1, 3), (44, -1), (1 << 62, 3), (300, 3)):
        refused(struct.pack(">qqc", name_len, text_len, b"O") + group + name + b"a\x022")
    refused(struct.pack(">qqc", 44, 3, b"O") + fdfs.group_field("g02") + name + b"a\x022")
    for text in (b"k" * 65 + b"\x02v", b"k\x02" + b"v" * 257):
        refused(struct.pack(">qqc", 44, len(text), b"O") + group + name + text)
    for text in (b"k" * 64 + b"\x02v", b"k\x02" + b"v" * 256):
        storage.set_metadata(file_id, text)
        assert storage.metadata(file_id) == text
    with fdfs.Client(stack.storage["g01"]) as client:
        text = b"k\x02v\x01" * 20_000
        try:
            assert client.ask(fdfs.SET_METADATA, struct.pack(">qqc", 44, len(text), b"O") + group + name + text)[0] \
                == fdfs.EINVAL
        except (fdfs.Closed, ConnectionError):
            pass
    assert storage.metadata(file_id) == b"k\x02" + b"v" * 256


# -- several store paths

def test_what_has_a_name_lies_in_the_store_path_that_its_name_tells(installations):
    one = installations({("storage g01", "store_path"): "../data/g01 ../data/second"}).start("--no-self-test")
    counts = {"g01": (0, 0), "second": (5, 3)}
    with fdfs.Client(one.storage["g01"]) as storage:
        master = storage.upload(b"master", "jpg", 1)
        slave = storage.upload_slave(master, "_1", b"slave", "png")
        of_slave = storage.upload_slave(slave, "_2", b"slave of a slave", "png")
        log = storage.upload_appender(b"12345", "log", 1)
        storage.append(log, b"678")
        last = storage.finish(storage.upload_appender(b"last", "log", 1))
        storage.upload_slave(log, "_3", b"slave of an appender")
        for name in (master, slave, log):
            assert name.startswith("g01/M01/")
            storage.set_metadata(name, b"of\x02" + name.encode())
            assert storage.metadata(name) == b"of\x02" + name.encode()
        assert [storage.download(x) for x in (slave, of_slave, log, last)] \
            == [b"slave", b"slave of a slave", b"12345678", b"last"]
        assert storage.slaves(master) == [slave, of_slave]
        assert storage.info(log)[::2] == (8, zlib.crc32(b"12345678"))
        for folder, expected in counts.items():
            with contextlib.closing(sqlite3.connect(one.home / "data" / folder / "names.db")) as db:
                assert tuple(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                             for table in ("files", "metadata")) == expected, folder
        other = "g01/M00" + slave[7:]
        for call in (storage.download, storage.info, storage.metadata, storage.delete):
            fails(fdfs.ENOENT, call, other)
        storage.upload_slave(master, "_4", b"more", "png")
        assert web.get(one.varnish, "/" + slave).body == b"slave"
        for name in (slave, of_slave, log, last):
            storage.delete(name)
            fails(fdfs.ENOENT, storage.download, name)
        fails(fdfs.ENOENT, storage.metadata, slave)
    assert fsck(one)["clean"]
    one.picstore("rm", "--now", master)
    assert len(one.listed("g01")) == 1, "the slave of the deleted appender: nobody deleted it"


# -- packages that come in pieces, or many at once

def test_pipelined_changes_happen_in_order(storage):
    file_id = storage.upload_appender(b"")
    name = fdfs.split(file_id)[1]
    storage.send(b"".join(
        fdfs.package(fdfs.APPEND, struct.pack(">qq", len(name), 2) + name + b"%02d" % i) for i in range(50)))
    assert [storage.reply() for _ in range(50)] == [(0, b"")] * 50
    assert storage.download(file_id) == b"".join(b"%02d" % i for i in range(50))


def test_the_body_of_a_refused_slave_is_not_taken_for_requests(storage):
    master = storage.upload(b"m", "jpg")
    name = fdfs.split(master)[1]
    storage.upload_slave(master, "_1", b"s", "jpg")
    content = fdfs.package(fdfs.ACTIVE_TEST) * 100_000
    storage.send(fdfs.package(fdfs.SLAVE, struct.pack(">qq16s6s", 44, len(content), b"_1", b"jpg") + name + content))
    assert storage.reply() == (fdfs.EEXIST, b"")
    assert storage.ask(fdfs.INFO, fdfs.group_field("g01") + b"M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg") \
        == (fdfs.ENOENT, b"")


# -- over HTTP

def test_over_http(stack, storage):
    picture = pictures.drawn(seed=80)
    master = storage.upload(picture)
    slave = storage.upload_slave(master, "_s", pictures.drawn(seed=81), "png")
    short = storage.upload_slave(master, "_b", b"short name")
    answer = web.get(stack.varnish, "/" + slave)
    assert answer.status == 200 and answer.body == pictures.drawn(seed=81)
    assert "immutable" not in answer.headers["cache-control"]
    assert web.get(stack.varnish, "/" + short).body == b"short name"
    appender = storage.upload_appender(b"one")
    assert web.get(stack.varnish, "/" + appender).body == b"one"
    storage.append(appender, b" two")
    answer = web.get(stack.varnish, "/" + appender)
    assert answer.body == b"one two", "nobody serves what it was"
    assert answer.headers["cache-control"] == "no-cache"
    final = storage.finish(appender)
    answer = web.get(stack.varnish, "/" + final)
    assert answer.body == b"one two" and "immutable" in answer.headers["cache-control"]
    assert web.get(stack.varnish, "/" + appender).status == 404


# -- what must hold when things break

def test_what_was_made_of_a_picture_goes_with_it(stack, storage):
    """cs_del_svr deletes slaves of all generations, in store and caches."""
    master = storage.upload(pictures.drawn(seed=82))
    slave = storage.upload_slave(master, "_1", pictures.drawn(seed=83), "png")
    of_slave = storage.upload_slave(slave, "_2", pictures.drawn(seed=84), "png")
    all_of_them = [master, slave, of_slave]
    for file_id in all_of_them:
        assert web.get(stack.varnish, "/" + file_id).status == 200
    with package.Caller(stack.cs_del_svr[0]) as caller:
        assert caller.delete_now([master]) == package.OK
    for file_id in all_of_them:
        assert web.get(stack.varnish, "/" + file_id).status in (404, 410)
        fails(fdfs.ENOENT, storage.download, file_id)
    receipt = stack.picstore("receipt", master).stdout
    for file_id in all_of_them:
        assert file_id in receipt


def test_a_master_with_more_than_a_megabyte_of_slaves_is_deleted_with_all_of_them(own):
    """Of names, that is.  They are put into the database as the storage would have done."""
    with fdfs.Client(own.storage["g01"]) as storage:
        master = storage.upload(b"the master of many")
    name = fdfs.split(master)[1].decode()
    slaves = [f"{name[:-4]}_{i:06}{'x' * 70}.png" for i in range(9000)]
    assert sum(len(slave) + 1 for slave in slaves) > 1 << 20
    own.down("storage_server-g01")
    with contextlib.closing(names_db(own)) as db:
        db.executemany("INSERT INTO files (name, master, size, crc, changed) VALUES (?, ?, 0, 0, 1)",
                       [(slave, name) for slave in slaves])
        db.commit()
    own.up("storage_server-g01")
    with fdfs.Client(own.storage["g01"]) as storage:
        assert storage.slaves(master) == ["g01/" + slave for slave in slaves]
        assert storage.download("g01/" + slaves[-1]) == b""
    own.picstore("rm", master)
    assert own.listed("g01") == []


def test_a_deletion_that_was_cut_off_is_finished_by_repeating_it(stack, storage):
    """Between the picture and its metadata."""
    file_id = storage.upload(b"cut off")
    storage.set_metadata(file_id, b"a\x021")
    storage.delete(file_id)
    name = fdfs.split(file_id)[1].decode()
    with contextlib.closing(names_db(stack)) as db:
        db.execute("INSERT INTO metadata (name, text) VALUES (?, ?)", (name, b"a\x021"))
        db.commit()
        fails(fdfs.ENOENT, storage.metadata, file_id)
        fails(fdfs.ENOENT, storage.delete, file_id)
        assert db.execute("SELECT count(*) FROM metadata WHERE name = ?", (name,)).fetchone() == (0,)


def test_changed_bytes_are_never_sent(own):
    with fdfs.Client(own.storage["g01"]) as storage:
        slave = storage.upload_slave(storage.upload(b"master"), "_1", b"slave" * 20_000, "jpg")
        with contextlib.closing(names_db(own)) as db:
            db.execute("UPDATE chunks SET bytes = zeroblob(length(bytes)) WHERE id & 1048575 = 1")
            db.commit()
        fails(5, storage.download, slave)
        assert storage.download(slave, 0, 65_536) == (b"slave" * 20_000)[:65_536], "what is read is checked"
        assert storage.ask(fdfs.ACTIVE_TEST) == (0, b"")
    until(lambda: "corrupt" in own.log("storage_server-g01"), "the line in the log")


def test_fsck_and_ls_know_what_has_a_name(own):
    with fdfs.Client(own.storage["g01"]) as storage:
        master = storage.upload(b"master")
        slave = storage.upload_slave(master, "_1", b"slave" * 30_000, "jpg")
        log = storage.upload_appender(b"log")
        gone = storage.upload(b"gone")
        for file_id in (master, slave, gone):
            storage.set_metadata(file_id, b"a\x021")
        storage.delete(gone)
    listed = own.picstore("ls", "g01").stdout
    assert {line.split("\t")[0]: line.split("\t")[1] for line in listed.splitlines()} \
        == {master: "6", slave: "150000", log: "3"}
    figures = fsck(own)
    assert [figures[x] for x in ("clean", "names", "name_bytes", "metadata", "stray_metadata")] \
        == [True, 2, 150_003, 2, 0]
    with contextlib.closing(names_db(own)) as db:
        db.execute("INSERT INTO metadata (name, text) VALUES (?, ?)", (fdfs.split(gone)[1].decode(), b"a\x021"))
        db.commit()
    assert fsck(own)["stray_metadata"] == 1 and fsck(own)["clean"]
    own.down("storage_server-g01")
    assert fsck(own, "--repair")["stray_metadata"] == 1
    assert fsck(own)["stray_metadata"] == 0
    with contextlib.closing(names_db(own)) as db:
        db.execute("UPDATE chunks SET bytes = zeroblob(length(bytes)) WHERE id & 1048575 = 1")
        db.execute("INSERT INTO chunks (id, crc, bytes) VALUES (1 << 50, 0, x'')")
        db.commit()
    figures = fsck(own)
    assert not figures["clean"] and (figures["corrupt"], figures["names"], figures["unreadable"]) == (1, 1, 1)


def fsck(installation, *options):
    lines = installation.picstore("fsck", "--json", *options, "g01", check=False).stdout.splitlines()
    return json.loads(lines[-1])


def names_db(installation):
    return sqlite3.connect(next(installation.home.glob("**/g01/names.db")))


class Ledger:
    """What was answered, and what may have happened besides: an appender file, slaves and
    metadata that one client changes while its storage is killed."""

    def __init__(self, storage, number):
        self.number = number
        self.sure = storage.upload_appender(b"")
        self.master = storage.upload(b"master %d" % number)
        self.appended = []
        self.slaves = {}
        self.metadata = [b"n\x020"]
        storage.set_metadata(self.master, self.metadata[0])

    def work(self, port, stop):
        count = 0
        while not stop.is_set():
            try:
                with fdfs.Client(port, timeout=10) as storage:
                    while not stop.is_set():
                        count += 1
                        self.change(storage, count)
            except (fdfs.Closed, OSError):
                pass

    def change(self, storage, count):
        content = b"<%08d>" % count * 1000
        self.appended.append(content + b"?")  # until it is answered
        storage.append(self.sure, content)
        self.appended[-1] = content
        prefix, expected = f"_{count}", self.master[:-4] + f"_{count}.jpg"
        self.slaves[expected] = None
        assert storage.upload_slave(self.master, prefix, content, "jpg") == expected
        self.slaves[expected] = content
        self.metadata.append(b"n\x02%d" % count)
        storage.set_metadata(self.master, self.metadata[-1])
        self.metadata = self.metadata[-1:]

    def check(self, storage):
        found, at = storage.download(self.sure), 0
        for content in self.appended:
            content, unsure = content.rstrip(b"?"), content.endswith(b"?")
            if not unsure or found[at:at + len(content)] == content:
                assert found[at:at + len(content)] == content
                at += len(content)
        assert at == len(found), "nothing is there in part, or twice"
        for slave, content in self.slaves.items():
            try:
                assert storage.download(slave) == (content or b"<%08d>" % int(slave[:-4].rpartition("_")[2]) * 1000)
            except fdfs.Failed as failure:
                assert failure.status == fdfs.ENOENT and content is None
        assert storage.metadata(self.master) in self.metadata
        assert set(storage.slaves(self.master)) >= {s for s, content in self.slaves.items() if content}


def test_kills_under_load_lose_nothing_and_leave_no_half(own):
    port = own.storage["g01"]
    with fdfs.Client(port) as storage:
        ledgers = [Ledger(storage, i) for i in range(4)]
    stop = threading.Event()
    with ThreadPoolExecutor(len(ledgers)) as pool:
        try:
            workers = [pool.submit(ledger.work, port, stop) for ledger in ledgers]
            for kills in range(4):
                want = [len(ledger.appended) + 20 for ledger in ledgers]
                until(lambda: all(len(l.appended) >= w for l, w in zip(ledgers, want)), "changes")
                own.kill("storage_server-g01")
        finally:
            stop.set()
        for worker in workers:
            worker.result()
    with fdfs.Client(port) as storage:
        for ledger in ledgers:
            ledger.check(storage)
            final = storage.finish(ledger.sure)
            assert storage.info(final)[2] == zlib.crc32(storage.download(final))
    with contextlib.closing(names_db(own)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT count(*) FROM chunks WHERE id >> 20 NOT IN (SELECT number FROM files)"
                          ).fetchone() == (0,)

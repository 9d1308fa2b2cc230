"""Every command of a FastDFS client, byte by byte: what a V6.16.1 answers, ours must.

Each line of a table is a request and its answer: status, length of the body (None: see the
test of its layout), and whether the connection is open or closed behind it.  Where FastDFS is
weak ours differs on purpose, and the line says so; docs/protocol.md has the list."""
import socket
import struct
import time
import zlib

import pytest

import fdfs
from fdfs import group_field, package
from wait import until

OPEN, CLOSED = "open", "closed"
G01, G02, NOBODY = group_field("g01"), group_field("g02"), group_field("nobody")
STALE = b"g01\0stale bytes.."[:16]
CONTENT = b"0123456789"
NEVER = b"M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"


def after(client):
    """Is the connection open, with nothing on it but the answer to what is asked next?"""
    try:
        return OPEN if client.ask(fdfs.ACTIVE_TEST) == (0, b"") else "out of step"
    except (fdfs.Closed, ConnectionError):
        return CLOSED


def exchange(port, command, body, flags=0):
    """(status, body, open or closed); status None: closed without an answer."""
    with fdfs.Client(port) as client:
        try:
            client.send(package(command, body, flags))
            status, answer = client.reply()
        except (fdfs.Closed, ConnectionError):
            return None, b"", CLOSED
        return status, answer, after(client)


def check(port, rows):
    """Every row is tried; all that differ are told at once."""
    wrong = []
    for title, command, body, status, length, then, *flags in rows:
        found, answer, left = exchange(port, command, body, *flags)
        if (found, left) != (status, then) or length not in (None, len(answer)):
            wrong.append(f"{command} {title}: {found}, {len(answer)} bytes, {left}; not {status}, {length}, {then}")
    assert not wrong, "\n".join(wrong)


def numbers(*values):
    return struct.pack(f">{len(values)}q", *values)


def upload(content, ext=b"jpg", path=0, size=None):
    return struct.pack(">Bq6s", path, len(content) if size is None else size, ext) + content


def slave(master, content, prefix=b"_s", ext=b"png", size=None):
    return struct.pack(">qq16s6s", len(master), len(content) if size is None else size, prefix, ext) + master + content


def download(name, offset=0, count=0, group=G01):
    return numbers(offset, count) + group + name


def metadata(name, text, flag=b"O", group=G01, length=None):
    return numbers(len(name), len(text) if length is None else length) + flag + group + name + text


@pytest.fixture
def port(stack):
    return stack.storage["g01"]


class Files:
    """A file of each kind; the names without the group."""

    def __init__(self, client):
        def name(file_id):
            return fdfs.split(file_id)[1]
        self.picture = name(client.upload(CONTENT))
        self.gone = name(client.upload(b"gone"))
        client.delete("g01/" + self.gone.decode())
        self.empty = name(client.upload(b""))
        self.log = name(client.upload_appender(b"12345"))
        self.slave = name(client.upload_slave("g01/" + self.picture.decode(), "_150x150", b"slave", "png"))
        self.rich = name(client.upload(b"with metadata"))
        client.set_metadata("g01/" + self.rich.decode(), b"width\x02100\x01height\x0280")


@pytest.fixture
def files(port):
    with fdfs.Client(port) as client:
        return Files(client)


# -- the tracker

def test_tracker_commands(stack):
    here = b"127.0.0.1:%d" % stack.storage["g01"]
    check(stack.tracker, [
        # title                              command       body                     status length  then
        ("active test",                      111, b"",                              0, 0, OPEN),
        ("active test, status 2 (py3fdfs)",  111, b"",                              0, 0, OPEN, 2),
        ("active test with a body",          111, b"z",                             22, 0, OPEN),
        ("where to upload",                  101, b"",                              0, 40, OPEN),
        ("with a body",                      101, b"zz",                            22, 0, OPEN),
        ("where in a group",                 104, G01,                              0, 40, OPEN),
        ("stale bytes behind the group",     104, STALE,                            0, 40, OPEN),
        ("a group padded with blanks",       104, b"g01".ljust(16),                 2, 0, OPEN),
        ("a group that is not there",        104, NOBODY,                           2, 0, OPEN),
        ("a group of 15 bytes",              104, G01[:15],                         22, 0, OPEN),
        ("a group of 17 bytes",              104, G01 + b"\0",                      22, 0, OPEN),
        ("all storages",                     106, b"",                              0, 40, OPEN),
        ("with a body",                      106, b"z",                             22, 0, OPEN),
        ("all storages of a group",          107, G01,                              0, 40, OPEN),
        ("a group that is not there",        107, NOBODY,                           2, 0, OPEN),
        ("one to read",                      102, G01 + NEVER,                      0, 39, OPEN),
        ("a NUL behind the name",            102, G01 + NEVER + b"\0",              0, 39, OPEN),
        ("a name of 21",                     102, G01 + b"M00/00/00/abcdefghijk",   22, 0, OPEN),
        ("a name of 22 that is none",        102, G01 + b"M00/00/00/!!!!!!!!!!!!",  0, 39, OPEN),
        ("a name of 127",                    102, G01 + b"M00/00/00/" + b"A" * 117, 0, 39, OPEN),
        ("a name of 128",                    102, G01 + b"M00/00/00/" + b"A" * 118, 22, 0, OPEN),
        ("a name of 300",                    102, G01 + b"M00/00/00/" + b"A" * 290, 22, 0, OPEN),
        ("a group that is not there",        102, NOBODY + NEVER,                   2, 0, OPEN),
        ("one to change",                    103, G01 + NEVER,                      0, 39, OPEN),
        ("a name of 128",                    103, G01 + b"M00/00/00/" + b"A" * 118, 22, 0, OPEN),
        ("a group that is not there",        103, NOBODY + NEVER,                   2, 0, OPEN),
        ("all that have it",                 105, G01 + NEVER,                      0, 39, OPEN),
        ("a group alone",                    105, G01,                              22, 0, OPEN),
        ("one group",                        90, G01,                               0, 113, OPEN),
        ("a group that is not there",        90, NOBODY,                            2, 0, OPEN),
        ("3 bytes",                          90, b"g01",                            22, 0, OPEN),
        ("all groups",                       91, b"",                               0, 226, OPEN),
        ("with a body",                      91, b"z",                              22, 0, OPEN),
        ("storages of a group",              92, G01,                               0, 487, OPEN),
        ("one of them",                      92, G01 + b"127.0.0.1",                0, 487, OPEN),
        ("the same, padded to 15",           92, G01 + b"127.0.0.1".ljust(15, b"\0"), 0, 487, OPEN),
        ("a storage that is not there",      92, G01 + b"9.9.9.9",                  2, 0, OPEN),
        ("an id of 16",                      92, G01 + b"x" * 16,                   22, 0, OPEN),
        ("a group that is not there",        92, NOBODY,                            2, 0, OPEN),
        ("run state",                        64, b"",                               0, 17, OPEN),
        ("storage ids, none is fine",        69, struct.pack(">IB", 0, 1),          0, 8, OPEN),
        ("storage ids, none is not",         69, struct.pack(">IB", 0, 0),          95, 0, OPEN),
        ("the request of before V6.11",      69, struct.pack(">I", 0),              95, 0, OPEN),
        ("a storage's id",                   70, G01 + here,                        0, 9, OPEN),
        ("of one that is not there",         70, G01 + b"9.9.9.9:1",                2, 0, OPEN),
        ("a storage's state",                71, G01 + here,                        0, 67, OPEN),
        ("parameters",                       75, b"",                               0, None, OPEN),
        ("the leader",                       95, b"",                               0, 15, OPEN),
        ("trackers",                         96, bytes(3),                          0, 91, OPEN),
        ("short list of storages",           97, bytes(4),                          0, 218, OPEN),
        ("space of groups",                  98, bytes(4),                          0, 123, OPEN),
        ("between storages and trackers",    81, b"",                               22, 0, OPEN),
        ("unknown",                          200, b"",                              22, 0, OPEN),
        ("unknown, with a body",             200, b"z" * 1000,                      22, 0, OPEN),
        ("quit",                             82, b"",                               None, 0, CLOSED),
    ])


def address(answer, at):
    return fdfs.text(answer[at:at + 15]), struct.unpack(">q", answer[at + 15:at + 23])[0]


def test_layouts_of_routing_replies(stack, port):
    """STORE-ONE, STORE-ALL, FETCH: group, address of 15, port, and a store path behind the first two."""
    with fdfs.Client(stack.tracker) as tracker:
        for command, body in ((104, G01), (107, G01)):
            answer = tracker.call(command, body)
            assert answer[:16] == G01 and address(answer, 16) == ("127.0.0.1", port) and answer[39:] == b"\0"
        for command in (102, 103, 105):
            answer = tracker.call(command, G01 + NEVER)
            assert answer[:16] == G01 and address(answer, 16) == ("127.0.0.1", port) and len(answer) == 39
            assert answer[16:31] == b"127.0.0.1".ljust(15, b"\0"), "filled with NULs"


def test_layout_of_a_group(stack, port):
    with fdfs.Client(stack.tracker) as tracker:
        both = tracker.call(91)
        record = tracker.call(90, G01)
    assert [fdfs.text(both[at:at + 17]) for at in (0, 113)] == ["g01", "g02"]
    assert fdfs.text(record[:17]) == "g01"
    total, free, reserved, trunk, storages, its_port, readable, writable, writing, paths, subdirs, trunk_file = \
        struct.unpack(">12q", record[17:])
    assert 0 < free <= total and reserved > 0 and trunk == 0
    assert (storages, its_port, readable, writable, writing, paths, subdirs, trunk_file) \
        == (1, port, 1, 1, 0, 1, 256, -1)


def test_layout_of_a_storage(stack, port):
    """Its counters count what is done between two looks."""
    def look():
        with fdfs.Client(stack.tracker) as tracker:
            return tracker.call(92, G01)

    def counters(record):
        return struct.unpack(">42q", record[150:486])
    record = look()
    assert record[0] == 7 and record[1] == 6 and record[486] == 0
    assert [fdfs.text(record[at:at + 16]) for at in (2, 18, 34)] == ["127.0.0.1", "127.0.0.1", ""]
    assert fdfs.text(record[50:58]).count(".") == 2
    joined, started, total, free, reserved, _, paths, subdirs, writing, its_port = struct.unpack(">10q", record[58:138])
    assert abs(joined - time.time()) < 86400 and abs(started - time.time()) < 86400
    assert 0 < free <= total and reserved > 0
    assert (paths, subdirs, writing, its_port) == (1, 256, 0, port)
    allocated, current, most = struct.unpack(">III", record[138:150])
    assert current <= most and most <= allocated
    before = counters(record)
    with fdfs.Client(port) as client:
        name = client.upload(b"counted")
        client.download(name)
        client.set_metadata(name, b"a\x021")
        client.metadata(name)
        log = client.upload_appender(b"log")
        client.append(log, b"x")
        client.modify(log, 0, b"y")
        client.truncate(log, 1)
        with pytest.raises(fdfs.Failed):
            client.delete("g01/" + NEVER.decode())
        client.delete(name)
        until(lambda: counters(look())[11] > before[11], "the next beat")
        grown = [new - old for old, new in zip(before, counters(look()))]
    # upload, append, modify, truncate, set metadata, delete, download, get metadata: all, good
    assert grown[:16] == [2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1]


# -- the storage

def test_storage_commands(port, files):
    f = files
    check(port, [
        # title                              command       body                          status length then
        ("active test",                      111, b"",                                   0, 0, OPEN),
        ("active test, status 2 (py3fdfs)",  111, b"",                                   0, 0, OPEN, 2),
        ("active test with a body",          111, b"x",                                  22, 0, CLOSED),
        ("quit",                             82, b"",                                    None, 0, CLOSED),
        ("unknown",                          99, b"",                                    22, 0, CLOSED),
        ("between storages",                 16, b"",                                    22, 0, CLOSED),

        ("upload to path 0",                 11, upload(bytes(range(256)) * 4),          0, 60, OPEN),
        ("the storage picks the path",       11, upload(b"abc", b"", 255),               0, 60, OPEN),
        ("an extension of 6",                11, upload(b"abc", b"tar.gz"),              0, 60, OPEN),
        ("an extension with a dot in front", 11, upload(b"abc", b".jpg"),                0, 60, OPEN),
        ("stale bytes behind the extension", 11, upload(b"abc", b"jpg\0xx"),             0, 60, OPEN),
        ("0 bytes",                          11, upload(b""),                            0, 60, OPEN),
        ("a store path that is not there",   11, upload(b"abc", path=1),                 22, 0, CLOSED),
        ("a size that is too large",         11, upload(b"abc", size=99),                22, 0, CLOSED),
        ("a size that is too small",         11, upload(b"abc", size=2),                 22, 0, CLOSED),
        ("a negative size",                  11, upload(b"abc", size=-1),                22, 0, CLOSED),
        ("an extension with a slash",        11, upload(b"abc", b"a/b"),                 22, 0, CLOSED),
        ("a body that is too short",         11, b"\0" * 10,                             22, 0, CLOSED),
        ("no body",                          11, b"",                                    22, 0, CLOSED),

        ("info",                             22, G01 + f.picture,                        0, 40, OPEN),
        ("info, flags 3 (C, PHP)",           22, G01 + f.picture,                        0, 40, OPEN, 3),
        ("info, any status byte",            22, G01 + f.picture,                        0, 40, OPEN, 0xff),
        ("info of a slave",                  22, G01 + f.slave,                          0, 40, OPEN),
        ("info of an appender",              22, G01 + f.log,                            0, 40, OPEN),
        ("info of an empty file",            22, G01 + f.empty,                          0, 40, OPEN),
        ("a NUL behind the name",            22, G01 + f.picture + b"\0",                0, 40, OPEN),
        ("stale bytes behind the NUL",       22, G01 + f.picture + b"\0stale",           0, 40, OPEN),
        ("stale bytes behind the group",     22, STALE + f.picture,                      0, 40, OPEN),
        ("a deleted file",                   22, G01 + f.gone,                           2, 0, OPEN),
        ("a file that never was",            22, G01 + NEVER,                            2, 0, OPEN),
        ("another group",                    22, G02 + f.picture,                        22, 0, CLOSED),

        ("download",                         14, download(f.picture),                    0, 10, OPEN),
        ("a part",                           14, download(f.picture, 3, 4),              0, 4, OPEN),
        ("to the end",                       14, download(f.picture, 9),                 0, 1, OPEN),
        ("beyond the end: clipped",          14, download(f.picture, 4, 100),            0, 6, OPEN),
        ("from the end",                     14, download(f.picture, 10),                22, 0, CLOSED),
        ("from beyond the end",              14, download(f.picture, 11, 1),             22, 0, CLOSED),
        ("offset -1",                        14, download(f.picture, -1, 1),             22, 0, CLOSED),
        ("-1 bytes",                         14, download(f.picture, 0, -1),             22, 0, CLOSED),
        ("the greatest numbers",             14, download(f.picture, (1 << 63) - 1, (1 << 63) - 1), 22, 0, CLOSED),
        ("an empty file (as before V6.15.4)", 14, download(f.empty),                     0, 0, OPEN),
        ("of a slave",                       14, download(f.slave),                      0, 5, OPEN),
        ("of an appender",                   14, download(f.log, 1, 2),                  0, 2, OPEN),
        ("a NUL behind the name",            14, download(f.picture + b"\0"),            0, 10, OPEN),
        ("a deleted file",                   14, download(f.gone),                       2, 0, OPEN),
        ("another group",                    14, download(f.picture, group=G02),         22, 0, CLOSED),
        ("no group",                         14, download(f.picture, group=bytes(16)),   22, 0, CLOSED),
        ("a group padded with blanks",       14, download(f.picture, group=b"g01".ljust(16)), 22, 0, CLOSED),
        ("a store path that is not there",   14, download(b"M01" + f.picture[3:]),       22, 0, CLOSED),
        ("a name with ../",                  14, download(b"M00/00/../" + f.picture[10:]), 22, 0, CLOSED),
        ("a name with a further slash",      14, download(f.picture[:30] + b"/" + f.picture[31:]), 22, 0, CLOSED),
        ("folders in lower case",            14, download(b"M00/0a/00/" + f.picture[10:]), 22, 0, CLOSED),
        ("a name of 10",                     14, download(b"M00/00/00/"),                22, 0, CLOSED),
        ("a name of 128 (ends a V6.16.1)",   14, download(b"M00/00/00/" + b"A" * 118),   22, 0, CLOSED),
        ("a name of 300 (ends a V6.16.1)",   14, download(b"M00/00/00/" + b"A" * 290),   22, 0, CLOSED),
        ("without M00: a picture has one name", 14, download(f.picture[4:]),             22, 0, CLOSED),
        ("a body that is too short",         14, numbers(0, 0),                          22, 0, CLOSED),

        ("metadata",                         15, G01 + f.rich,                           0, 19, OPEN),
        ("of a file without any",            15, G01 + f.picture,                        2, 0, OPEN),
        ("of a deleted file",                15, G01 + f.gone,                           2, 0, OPEN),
        ("another group",                    15, G02 + f.rich,                           22, 0, CLOSED),
        ("set metadata",                     13, metadata(f.picture, b"a\x021"),         0, 0, OPEN),
        ("merge metadata",                   13, metadata(f.picture, b"b\x022", b"M"),   0, 0, OPEN),
        ("a separator behind the last",      13, metadata(f.picture, b"a\x021\x01"),     0, 0, OPEN),
        ("a NUL behind the name",            13, metadata(f.picture + b"\0", b"a\x021"), 0, 0, OPEN),
        ("a record without a mark",          13, metadata(f.picture, b"novalue"),        0, 0, OPEN),
        ("none at all",                      13, metadata(f.picture, b""),               0, 0, OPEN),
        ("of a deleted file",                13, metadata(f.gone, b"a\x021"),            2, 0, OPEN),
        ("a flag that is none",              13, metadata(f.picture, b"a\x021", b"X"),   22, 0, CLOSED),
        ("a length that is too large",       13, metadata(f.picture, b"a\x021", length=9), 22, 0, CLOSED),
        ("a negative length",                13, metadata(f.picture, b"a\x021", length=-3), 22, 0, CLOSED),
        ("too much",                         13, metadata(f.picture, b"k\x02" + b"v" * 300_000), 22, 0, CLOSED),
        ("another group",                    13, metadata(f.picture, b"a\x021", group=G02), 22, 0, CLOSED),

        ("a slave",                          21, slave(f.picture, b"slave"),             0, 62, OPEN),
        ("the same slave again",             21, slave(f.picture, b"other"),             17, 0, OPEN),
        ("without an extension",             21, slave(f.picture, b"slave", b"_b", b""), 0, 58, OPEN),
        ("a slave of a slave",               21, slave(f.slave, b"slave", b"_2"),        0, 70, OPEN),
        ("stale bytes behind the prefix",    21, slave(f.picture, b"slave", b"_c\0stale"), 0, 62, OPEN),
        ("0 bytes",                          21, slave(f.picture, b"", b"_0"),           0, 62, OPEN),
        ("no prefix",                        21, slave(f.picture, b"s", b""),            22, 0, CLOSED),
        ("the name of metadata",             21, slave(f.picture, b"s", b"-m", b""),     22, 0, CLOSED),
        ("a prefix with a slash",            21, slave(f.picture, b"s", b"a/b"),         22, 0, CLOSED),
        ("an extension with a slash",        21, slave(f.picture, b"s", b"_x", b"a/b"),  22, 0, CLOSED),
        ("a master that was deleted",        21, slave(f.gone, b"s"),                    2, 0, OPEN),
        ("a size that is too large",         21, slave(f.picture, b"s", b"_y", size=2),  22, 0, CLOSED),
        ("a master's name of 128",           21, slave(b"M00/00/00/" + b"A" * 118, b"s"), 22, 0, CLOSED),

        ("an appender",                      23, upload(b"12345", b"log"),               0, 60, OPEN),
        ("append",                           24, numbers(44, 3) + f.log + b"678",        0, 0, OPEN),
        ("append nothing",                   24, numbers(44, 0) + f.log,                 0, 0, OPEN),
        ("modify",                           34, numbers(44, 2, 2) + f.log + b"XY",      0, 0, OPEN),
        ("modify at the end",                34, numbers(44, 8, 1) + f.log + b"9",       0, 0, OPEN),
        ("modify beyond the end",            34, numbers(44, 50, 2) + f.log + b"XY",     22, 0, CLOSED),
        ("modify at -1",                     34, numbers(44, -1, 2) + f.log + b"XY",     22, 0, CLOSED),
        ("truncate",                         36, numbers(44, 4) + f.log,                 0, 0, OPEN),
        ("truncate to more: zeros",          36, numbers(44, 9) + f.log,                 0, 0, OPEN),
        ("truncate to -1",                   36, numbers(44, -1) + f.log,                22, 0, CLOSED),
        ("a NUL behind the name",            24, numbers(45, 1) + f.log + b"\0x",        0, 0, OPEN),
        ("append to a picture",              24, numbers(44, 3) + f.picture + b"abc",    22, 0, CLOSED),
        ("modify a picture",                 34, numbers(44, 0, 3) + f.picture + b"abc", 22, 0, CLOSED),
        ("truncate a picture",               36, numbers(44, 3) + f.picture,             22, 0, CLOSED),
        ("a final name for a picture",       38, f.picture,                              22, 0, CLOSED),
        ("append to what was deleted",       24, numbers(44, 3) + f.gone + b"abc",       2, 0, OPEN),
        ("a final name for what is not",     38, NEVER,                                  2, 0, OPEN),
        ("a size that is too large",         24, numbers(44, 4) + f.log + b"abc",        22, 0, CLOSED),
        ("a length that is too large",       24, numbers(1 << 62, 3) + f.log + b"abc",   22, 0, CLOSED),
        ("a final name",                     38, f.log,                                  0, 60, OPEN),
        ("after that",                       24, numbers(44, 3) + f.log + b"678",        2, 0, OPEN),

        ("delete",                           12, G01 + f.picture,                        0, 0, OPEN),
        ("delete again",                     12, G01 + f.picture,                        2, 0, OPEN),
        ("delete a slave",                   12, G01 + f.slave,                          0, 0, OPEN),
        ("a NUL behind the name",            12, G01 + f.empty + b"\0",                  0, 0, OPEN),
        ("another group",                    12, G02 + f.rich,                           22, 0, CLOSED),
        ("a group alone",                    12, G01,                                    22, 0, CLOSED),
    ])


def test_layout_of_names(port):
    """What FastDFS's clients compute from a name, and read out of it."""
    content = bytes(range(256)) * 4
    with fdfs.Client(port) as client:
        answer = client.call(11, upload(content, b"jpg"))
        assert answer[:16] == G01
        name = answer[16:].decode()
        assert len(name) == 44 and name.startswith("M00/") and name.endswith(".jpg")
        raw = fdfs.decode_name(name)
        address, when, field, crc = struct.unpack(">4sIQI", raw)
        assert socket.inet_ntoa(address) == "127.0.0.1" and abs(when - time.time()) < 60
        assert field >> 63 == 1 and field & 0xffffffff == 1024 and field >> 55 & 0xff == 0 and crc == zlib.crc32(content)
        assert name[37:40].isdigit()
        for ext, tail in ((b"", 7), (b"a", 5), (b"tar.gz", 0)):
            name = client.call(11, upload(b"abc", ext))[16:].decode()
            assert len(name) == 44 and set(name[37:37 + tail]) <= set("0123456789"), name
            assert name[37 + tail:] == ("." + ext.decode() if ext else "")


def test_layout_of_info(port, files):
    """The CRC is sign extended; that of slaves and appenders is counted, unless flag 1 says no."""
    with fdfs.Client(port) as client:
        def info(name, flags=0):
            client.send(package(22, G01 + name, flags))
            status, answer = client.reply()
            assert status == 0
            size, when, crc = struct.unpack(">qqq", answer[:24])
            assert abs(when - time.time()) < 60 and answer[24:] == b"127.0.0.1".ljust(16, b"\0")
            return size, crc

        def signed(content):
            return struct.unpack(">i", struct.pack(">I", zlib.crc32(content)))[0]
        assert signed(CONTENT) < 0, "or the sign would not be seen"
        assert info(files.picture) == (10, signed(CONTENT)) == info(files.picture, 1)
        assert info(files.slave) == (5, signed(b"slave")) and info(files.slave, 1) == (5, 0)
        assert info(files.log) == (5, signed(b"12345")) and info(files.log, 1) == (5, 0)
        assert info(files.empty) == (0, 0)


def test_metadata_is_sorted_merged_and_removed(port, files):
    with fdfs.Client(port) as client:
        name = "g01/" + files.rich.decode()
        assert client.metadata(name) == b"height\x0280\x01width\x02100"
        client.set_metadata(name, b"width\x02999\x01author\x02me", "M")
        assert client.metadata(name) == b"author\x02me\x01height\x0280\x01width\x02999"
        client.set_metadata(name, b"")
        with pytest.raises(fdfs.Failed) as failure:
            client.metadata(name)
        assert failure.value.status == 2


def test_contents_after_changes(port, files):
    with fdfs.Client(port) as client:
        name = "g01/" + files.log.decode()
        client.append(name, b"678")
        client.modify(name, 2, b"XY")
        client.truncate(name, 4)
        assert client.download(name) == b"12XY"
        client.truncate(name, 6)
        assert client.download(name) == b"12XY\0\0"
        last = client.finish(name)
        assert last[:14] == name[:14] and last[-7:] == name[-7:], "the same folder and pad digits"
        assert client.download(last) == b"12XY\0\0"


# -- connections

@pytest.mark.parametrize("which", ["tracker", "storage"])
def test_lengths_that_nobody_means(stack, port, which):
    for length in (-1, -(1 << 63), (1 << 63) - 1, 1 << 40):
        with fdfs.Client(stack.tracker if which == "tracker" else port) as client:
            client.send(package(101 if which == "tracker" else 11, length=length))
            if which == "storage" and length > 0:
                assert client.reply() == (27, b""), "an upload that is too large is told so, unread"
            with pytest.raises(fdfs.Closed):
                client.read(1)


def test_the_silent_are_closed_and_the_idle_are_not(installations):
    one = installations({("fdfs", "network_timeout"): "500ms"}).start("--no-self-test")
    stalled = package(11, struct.pack(">Bq6s", 0, 100_000, b"jpg") + bytes(50_000), length=100_015)
    for port in (one.tracker, one.storage["g01"]):
        with fdfs.Client(port) as idle:
            assert idle.ask(fdfs.ACTIVE_TEST) == (0, b"")
            for said in (b"", package(fdfs.ACTIVE_TEST)[:5]) + ((stalled,) if port != one.tracker else ()):
                with fdfs.Client(port) as silent:
                    silent.send(said)
                    with pytest.raises(fdfs.Closed):
                        silent.read(1)
            assert idle.ask(fdfs.ACTIVE_TEST) == (0, b""), "it was silent for longer than these"


def test_hundreds_of_requests_on_one_connection(port):
    with fdfs.Client(port) as client:
        for i in range(100):
            name = client.upload(b"%d" % i * 50, "txt")
            assert client.info(name)[0] == len(b"%d" % i * 50)
            client.delete(name)


def test_requests_in_one_write_are_all_answered_in_order(stack, port, files):
    asked = [(111, b""), (22, G01 + files.picture), (14, download(files.picture)), (15, G01 + files.gone),
             (11, upload(b"abc")), (12, G01 + files.slave), (111, b"")]
    with fdfs.Client(port) as client:
        client.send(b"".join(package(command, body) for command, body in asked))
        answers = [client.reply() for _ in asked]
        assert [(status, len(body)) for status, body in answers] \
            == [(0, 0), (0, 40), (0, 10), (2, 0), (0, 60), (0, 0), (0, 0)]
        assert answers[2][1] == CONTENT
    with fdfs.Client(stack.tracker) as client:
        client.send(package(104, G01) + package(90, NOBODY) + package(111) + package(102, G01 + NEVER))
        assert [client.reply()[0] for _ in range(4)] == [0, 2, 0, 0]


def test_header_and_body_in_writes_of_their_own(port):
    """As the clients for Node send them; and a header byte by byte."""
    body = upload(b"abc")
    with fdfs.Client(port) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for pieces in ([package(11, length=18), body], [package(11, length=18), body[:15], body[15:]],
                       [bytes([byte]) for byte in package(11, length=18)] + [body]):
            for piece in pieces:
                client.send(piece)
            assert client.reply()[0] == 0


def test_a_long_body_behind_an_early_error_is_no_request(port, files):
    """A V6.16.1 takes what follows its buffer for new requests: here they would be answered."""
    trap = package(fdfs.ACTIVE_TEST) * 105_000
    with fdfs.Client(port) as client:
        client.call(21, slave(files.picture, trap, b"_big"))
        assert client.ask(21, slave(files.picture, trap, b"_big")) == (17, b"")
        assert client.ask(22, G01 + NEVER) == (2, b""), "an answer to this and to nothing before it"
    with fdfs.Client(port) as client:
        client.send(package(11, upload(trap, path=9)))
        assert client.reply() == (22, b"")
        with pytest.raises((fdfs.Closed, ConnectionError)):
            client.read(1)


# -- what the log says

def test_each_refusal_has_a_line_with_its_reason(stack, port, files):
    refusals = {
        "storage_server-g01": (port, [
            (99, b"", "bad_request: there is no command 99"),
            (11, upload(b"abc", path=9), "bad_request: there is no store path M09"),
            (11, upload(b"abc", size=99), "bad_request: the size in an upload is not that of its 18 bytes"),
            (11, upload(b"abc", b"a/b"), "bad_request: 'a/b' is not an extension for a name"),
            (11, None, "too_large: a request of 1099511627776 bytes is over max_file_size"),
            (12, G02 + files.picture, "bad_request: group 'g02' is not here, this is g01"),
            (12, G01 + NEVER, f"not_found: there is no {NEVER.decode()}"),
            (14, download(files.picture, 11, 1), f"bad_request: 1 bytes from 11 are not in {files.picture.decode()}"),
            (14, download(b"M00/00/../etc/passwd"), "bad_id: 'M00/00/../etc/passwd' is not the name of a file"),
            (13, metadata(files.picture, b"a", b"X"), "bad_request: metadata has no flag 88"),
            (15, G01 + files.picture, f"not_found: {files.picture.decode()} has no metadata"),
            (21, slave(files.picture, b"s", b"a/b"), "bad_request: prefix 'a/b' and extension 'png' do not name a slave"),
            (21, slave(files.picture, b"s", b"_150x150"), "exists: there is a "),
            (24, numbers(44, 1) + files.picture + b"x", f"bad_request: {files.picture.decode()} is no appender file"),
            (34, numbers(44, 99, 1) + files.log + b"x", f"bad_request: {files.log.decode()} ends before byte 99"),
            (111, b"x", "bad_request: an active test has no body"),
        ]),
        "tracker_server": (stack.tracker, [
            (200, b"", "bad_request: "), (104, NOBODY, "not_found: there is no group nobody"),
            (90, b"g01", "bad_request: "), (92, G01 + b"9.9.9.9", "not_found: "),
            (102, G01 + b"x", "bad_request: "),
        ]),
    }
    for part, (where, asked) in refusals.items():
        for command, body, reason in asked:
            before = stack.log(part).count("\n")
            with fdfs.Client(where) as client:
                client.send(package(command, body or b"", length=None if body is not None else 1 << 40))
                status, _ = client.reply()
                peer = "%s:%d" % client.socket.getsockname()
            line = f"{peer}: command {command}: {reason}"
            assert status != 0
            until(lambda: any(line in said for said in stack.log(part).splitlines()[before:]), line)

"""picstore import and picstore export: pictures that come from elsewhere with their ids."""
import base64
import hashlib
import os
import random
import signal
import struct
import subprocess
import zlib

import pytest

import fdfs
import pictures
import web
from installation import PICSTORE
from wait import until

GROUP = "g01"


def old_crc(content):
    """What FastDFS before June 2018 put into ids: a signed register."""
    crc = 0xffffffff
    table = []
    for i in range(256):
        for _ in range(8):
            i = i >> 1 ^ (0xedb88320 if i & 1 else 0)
        table.append(i)
    for byte in content:
        shifted = crc >> 8 | (0xff000000 if crc & 0x80000000 else 0)
        crc = (shifted ^ table[(crc ^ byte) & 0xff]) & 0xffffffff
    return crc ^ 0xffffffff


def text64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class FastDFS:
    """The data folders of a FastDFS storage, with binlogs, as it would have left them."""

    def __init__(self, folder, paths=2):
        self.folder = folder
        self.random = random.Random(str(folder))
        self.paths = [folder / f"path{i}" for i in range(paths)]
        self.binlog = folder / "path0/data/sync/binlog.000"
        self.binlog.parent.mkdir(parents=True)
        self.binlog.write_text("")
        self.trunk_at = 0
        self.files = {}

    def name(self, content, path=0, flags=1 << 63, size=None, crc=None, extra=b"", ext=".jpg"):
        size = len(content) if size is None else size
        field = flags | self.random.getrandbits(23) << 32 | size
        crc = zlib.crc32(content) if crc is None else crc
        who = bytes([10, 1, 1, 197])
        base = text64(who + struct.pack(">IQI", 1549867346, field, crc))
        digits = "".join(self.random.choice("0123456789") for _ in range(7 - len(ext)))
        directory = f"{self.random.randrange(256):02X}/{self.random.randrange(256):02X}"
        return f"M{path:02X}/{directory}/{base}{text64(extra)}{digits}{ext}"

    def file(self, name):
        return self.paths[int(name[1:3], 16)] / "data" / name[4:]

    def put(self, name, content, log="C"):
        path = self.file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if log:
            self.log(log, name)
        self.files[f"{GROUP}/{name}"] = content
        return f"{GROUP}/{name}"

    def log(self, letter, name):
        with open(self.binlog, "a") as file:
            file.write(f"1549867346 {letter} {name}\n")

    def normal(self, content, **more):
        return self.put(self.name(content, **more), content)

    def slave(self, master, prefix, content):
        return self.put(master[4:-4] + prefix + ".png", content)

    def appender(self, content):
        return self.put(self.name(content, flags=1 << 63 | 1 << 58, size=0), content)

    def trunk(self, content, kind=b"F"):
        slot = (len(content) + 24 + 255) // 256 * 256
        extra = struct.pack(">III", 1, self.trunk_at, slot)
        name = self.name(content, flags=1 << 63 | 1 << 59, extra=extra)
        name = "M00/00/00/" + name[10:]
        head = kind + struct.pack(">IIII", slot, len(content), zlib.crc32(content), 1549867346)
        path = self.file("M00/00/00/000001")
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab") as file:
            file.write((head + name[-7:].encode() + content).ljust(slot, b"\0"))
        self.trunk_at += slot
        self.log("c", name)
        self.files[f"{GROUP}/{name}"] = content
        return f"{GROUP}/{name}"

    def delete_trunk(self, file_id):
        offset, slot = struct.unpack(">4xII", base64.urlsafe_b64decode(file_id[4 + 37:4 + 53]))
        with open(self.file("M00/00/00/000001"), "r+b") as file:
            file.seek(offset)
            file.write(bytes(slot))
        self.log("D", file_id[4:])
        return self.files.pop(file_id)


def result(done):
    """stdout of an import as {old: new}."""
    return {old: new for new, old in (line.split("\t") for line in done.stdout.splitlines())}


def import_fastdfs(stack, fastdfs, *more, **rest):
    return stack.picstore("import", "--from", "fastdfs", "--group", GROUP, *more, *fastdfs.paths,
                          **rest)


def storage_of(installation, group=GROUP):
    return fdfs.Client(installation.storage[group])


def expect_served(stack, files):
    for file_id, content in files.items():
        answer = web.get(stack.varnish, "/" + file_id)
        assert (answer.status, answer.body) == (200, content), file_id
        with storage_of(stack) as storage:
            assert storage.download(file_id) == content, file_id
            assert storage.info(file_id)[::2] == (len(content), zlib.crc32(content)), file_id


@pytest.fixture
def empty(installations):
    return installations().start("--no-self-test")


# -- FastDFS

def test_every_kind_of_file_of_a_fastdfs_keeps_its_id(stack, tmp_path):
    source = FastDFS(tmp_path)
    master = source.normal(pictures.drawn(seed=1))
    source.normal(pictures.drawn(seed=2), path=1)
    source.normal(pictures.drawn(seed=3), crc=old_crc(pictures.drawn(seed=3)))
    source.slave(master, "_150x150", pictures.drawn(seed=4, kind="PNG"))
    source.appender(pictures.drawn(seed=5))
    trunks = [source.trunk(pictures.drawn(seed=i)) for i in range(10, 15)]
    source.delete_trunk(trunks[2])
    source.normal(b"", ext=".png")
    source.put(source.name(b"not in a binlog"), b"not in a binlog", log=None)
    for file_id in (master, trunks[0]):
        metadata = source.file(file_id[4:] + "-m")
        metadata.parent.mkdir(parents=True, exist_ok=True)
        metadata.write_bytes(b"height\x0280\x01width\x02100")
    done = import_fastdfs(stack, source)
    assert result(done).keys() == source.files.keys()
    assert "failed" not in done.stderr
    expect_served(stack, source.files)
    for file_id in source.files:
        assert web.get(stack.lighttpd, "/download.fcgi/" + file_id).body == source.files[file_id]
    assert web.get(stack.varnish, "/" + trunks[2]).status == 404
    with storage_of(stack) as storage:
        for file_id in (master, trunks[0]):
            assert storage.metadata(file_id) == b"height\x0280\x01width\x02100"
    again = import_fastdfs(stack, source)
    assert again.stdout == "" and f"{len(source.files)} there already" in again.stderr


def test_damaged_and_lost_files_are_told_and_not_imported(stack, tmp_path):
    source = FastDFS(tmp_path)
    good = source.normal(pictures.drawn(seed=20))
    bad = source.normal(pictures.drawn(seed=21))
    source.file(bad[4:]).write_bytes(pictures.drawn(seed=22))
    short = source.normal(pictures.drawn(seed=23))
    os.truncate(source.file(short[4:]), 100)
    lost = source.normal(pictures.drawn(seed=24))
    source.file(lost[4:]).unlink()
    deleted = source.normal(pictures.drawn(seed=25))
    source.file(deleted[4:]).unlink()
    source.log("D", deleted[4:])
    trunk = source.trunk(pictures.drawn(seed=26))
    with open(source.file("M00/00/00/000001"), "r+b") as file:
        file.seek(100)
        file.write(b"damage")
    link = source.trunk(b"M00/00/00/other", kind=b"L")
    (source.paths[0] / "data/00/00/core.1234").write_bytes(b"junk")
    failures = tmp_path / "failures"
    done = import_fastdfs(stack, source, "--failures", failures, check=False)
    assert done.returncode == 1
    assert result(done).keys() == {good}
    told = {line.split("\t")[0]: line.split("\t")[1] for line in failures.read_text().splitlines()}
    assert told == {bad: "corrupt", short: "corrupt", lost: "not_found", trunk: "corrupt",
                    link: "unsupported"}
    assert "core.1234: passed over" in done.stderr
    for file_id in (bad, short, lost, deleted, trunk, link):
        assert web.get(stack.varnish, "/" + file_id).status == 404
    expect_served(stack, {good: source.files[good]})


def test_pictures_come_from_a_running_cluster_by_their_ids(stack, empty):
    contents = {}
    for i in range(20):
        with storage_of(stack) as storage:
            content = pictures.drawn(seed=100 + i)
            contents[storage.upload(content, "jpg")] = content
    missing = "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"
    ids = "".join(f"{file_id}\t123\tfrom ls\n" for file_id in contents)
    words = ("import", "--from", "tracker", f"127.0.0.1:{stack.tracker}", "-")
    done = empty.picstore(*words, stdin=ids + "nonsense\n" + missing + "\n", check=False)
    assert done.returncode == 1
    assert result(done).keys() == contents.keys()
    assert "nonsense: is not an id" in done.stderr and missing in done.stderr
    expect_served(empty, contents)
    done = empty.picstore(*words, stdin=ids)
    assert done.stdout == "" and "20 there already" in done.stderr


def test_wrong_use_is_two(stack, tmp_path):
    for words in (("import", "x"), ("import", "--from", "moon", "x"), ("import", "--from", "export", "a", "b"),
                  ("import", "--from", "fastdfs", tmp_path), ("import", "--from", "folder"),
                  ("import", "--from", "folder", "--group", "no-group", tmp_path), ("export",),
                  ("export", "-j0", tmp_path), ("export", "--group", "nowhere", tmp_path / "x")):
        assert stack.picstore(*words, check=False).returncode == 2, words


# -- deleting

@pytest.mark.parametrize("by", ["old", "new"])
def test_a_delete_by_either_name_leaves_none_and_one_receipt_says_so(stack, tmp_path, by):
    source = FastDFS(tmp_path)
    old = source.trunk(pictures.drawn(seed=200))
    new = result(import_fastdfs(stack, source))[old]
    for file_id in (old, new):
        assert web.get(stack.varnish, "/" + file_id).status == 200
        assert web.get(stack.varnish, "/" + file_id).status == 200
    cut = stack.picstore("cut", "20x20", old).stdout.split()[0]
    assert web.get(stack.varnish, "/" + cut).status == 200
    if by == "old":
        stack.picstore("rm", "--now", old)
    else:
        assert "gone already" not in stack.picstore("rm", new).stdout
    for file_id in (old, new, cut):
        assert web.get(stack.varnish, "/" + file_id).status == 410, file_id
        with storage_of(stack) as storage, pytest.raises(fdfs.Failed):
            storage.download(file_id)
    if by == "old":
        receipts = stack.picstore("receipt", "--json", old).stdout
        for file_id in (old, new, cut):
            assert file_id in receipts.replace("\\/", "/")
    assert import_fastdfs(stack, source).stderr.count("1 deleted before") == 1
    assert web.get(stack.varnish, "/" + old).status == 410


def test_a_cut_of_an_old_id(stack, tmp_path):
    source = FastDFS(tmp_path)
    old = source.normal(pictures.drawn(300, 200, seed=201))
    import_fastdfs(stack, source)
    cut = stack.picstore("cut", "30x20", old).stdout.split()[0]
    assert web.get(stack.varnish, "/" + cut).body[:2] == b"\xff\xd8"


# -- a folder

def test_a_folder_with_junk(stack, tmp_path):
    folder = tmp_path / "photos"
    (folder / "deep/er").mkdir(parents=True)
    wanted = {}
    for i in range(12):
        path = folder / ("deep/er" if i % 2 else ".") / f"picture {i}.JPEG"
        path.write_bytes(pictures.drawn(seed=300 + i))
        wanted[str(path.resolve())] = path.read_bytes()
    (folder / "wrong.txt").write_bytes(pictures.drawn(seed=350, kind="PNG"))
    wanted[str(folder / "wrong.txt")] = (folder / "wrong.txt").read_bytes()
    (folder / "readme.txt").write_text("not a picture")
    (folder / "lies.jpg").write_text("<html>")
    (folder / "empty.png").write_bytes(b"")
    (folder / "link.jpg").symlink_to(folder / "readme.txt")
    (folder / ".hidden.jpg").write_bytes(pictures.drawn())
    os.mkfifo(folder / "pipe.jpg")
    journal = tmp_path / "journal"
    words = ("import", "--from", "folder", "--journal", journal, "--group", GROUP, folder)
    done = stack.picstore(*words)
    assert result(done).keys() == wanted.keys()
    assert "3 passed over" in done.stderr
    for path, file_id in result(done).items():
        assert file_id.endswith(".png" if path.endswith("txt") else ".jpg")
        assert web.get(stack.varnish, "/" + file_id).body == wanted[path]
    again = stack.picstore(*words)
    assert again.stdout == "" and "13 there already" in again.stderr


def test_a_journal_is_of_one_store(stack, empty, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jpg").write_bytes(pictures.drawn(seed=360))
    words = ("import", "--from", "folder", "--journal", tmp_path / "journal", tmp_path / "in")
    stack.picstore(*words)
    done = empty.picstore(*words, check=False)
    assert done.returncode == 2 and "another store" in done.stderr


# -- there and back

def everything(installation):
    """{id: bytes} of all files."""
    found = {}
    for file_id in installation.listed():
        with storage_of(installation, file_id[:3]) as storage:
            found[file_id] = storage.download(file_id)
    return found


def fill(installation, folder, count=60, most=16):
    """Uploads, some of them deleted; pictures with old ids; and every kind of file that has a
    name of its own, with metadata.  {name: bytes} of what has another name than `ls` says."""
    folder.mkdir()
    with storage_of(installation) as storage, storage_of(installation, "g02") as second:
        for i in range(count):
            client = second if i % 3 else storage
            file_id = client.upload(random.Random(i).randbytes(i * 1000), "jpg")
            if i % 5 == 2:
                client.delete(file_id)
        family(storage, path=0)
        family(storage, path=len(installation.store_paths(GROUP)) - 1)
        family(second)
    source = FastDFS(folder)
    for i in range(5):
        source.trunk(pictures.drawn(seed=400 + i))
        source.slave(source.normal(pictures.drawn(seed=410 + i)), "_s", pictures.drawn(seed=420 + i))
    source.appender(b"an appender of a FastDFS")
    import_fastdfs(installation, source)
    with storage_of(installation) as storage:
        many = [source.name(b"by many names") for _ in range(most)]
        storage.adopt(many, b"by many names")
        slave = storage.upload_slave(f"{GROUP}/{many[0]}", "_x", b"slave of an old name", "png")
        storage.set_metadata(f"{GROUP}/{many[3]}", b"by\x02an old name")
    return source.files | {f"{GROUP}/{name}": b"by many names" for name in many} | {slave: b"slave of an old name"}


def family(storage, path=255):
    """A master and its slaves, one whose master is gone, appenders in every state."""
    master = storage.upload(b"master", "jpg", path)
    first = storage.upload_slave(master, "_s", b"a slave", "png")
    second = storage.upload_slave(first, "_t", b"a slave of a slave" * 10_000, "jpg")
    storage.upload_slave(master, "_none", b"", "")
    gone = storage.upload(b"deleted master", "jpg", path)
    orphan = storage.upload_slave(gone, "_o", b"an orphan", "jpg")
    storage.delete(gone)
    log = storage.upload_appender(b"12345", "log", path)
    storage.append(log, b"678" * 50_000)
    storage.upload_slave(log, "_of_log", b"slave of an appender", "txt")
    storage.upload_appender(b"", "", path)
    last = storage.finish(storage.upload_appender(b"finished", "jpg", path))
    storage.upload_slave(last, "_f", b"slave of a finished file", "jpg")
    for file_id in (master, first, second, orphan, log, last):
        storage.set_metadata(file_id, b"of\x02" + file_id.encode())
    storage.set_metadata(master, b"\x01".join(b"%03d\x02%s" % (i, b"v" * 240) for i in range(267)), "M")


def two_alike(installations, **more):
    """Two stores that call themselves the same, g01 with two store paths."""
    settings = {("storage g01", "id"): 701, ("storage g02", "id"): 702,
                ("storage g01", "store_path"): "../data/g01 ../data/g01b"}
    return (installations(dict(settings), **more).start("--no-self-test"),
            installations(dict(settings), **more).start("--no-self-test"))


def answers(installation, names):
    """Everything that a store says about these files, errors too."""
    found = {}
    for name in names:
        with storage_of(installation, name[:3]) as storage:
            for ask in (storage.download, storage.info, storage.metadata, storage.slaves, storage.names):
                try:
                    answer = ask(name)
                except fdfs.Failed as failure:
                    answer = failure.status
                found[ask.__name__, name] = sorted(answer) if ask == storage.slaves else answer
    return found


def change_all(installation, names):
    """Append to, change, cut and finish what is an appender; {name: answers}, with new names told by
    what they say, as their random part differs."""
    found = {}
    for name in names:
        with storage_of(installation, name[:3]) as storage:
            try:
                storage.append(name, b" and more")
                storage.modify(name, 1, b"_")
                storage.truncate(name, 7)
            except fdfs.Failed as failure:
                found[name] = failure.status
                continue
            except fdfs.Closed:
                continue
            slaves = storage.slaves(name)
            last = storage.finish(name)
            found[name] = (storage.download(last), storage.info(last)[0::2], slaves, storage.slaves(last), len(last))
    return found


@pytest.mark.parametrize("how", ["folder", "stream"])
def test_an_export_makes_an_identical_store(installations, tmp_path, how):
    one, two = two_alike(installations)
    names = fill(one, tmp_path / "fastdfs").keys() | set(one.listed())
    if how == "folder":
        one.picstore("export", tmp_path / "export")
        done = two.picstore("import", "--from", "export", tmp_path / "export")
    else:
        stream = one.picstore("export", "-", text=False).stdout
        done = subprocess.run([PICSTORE, "import", "--from", "export", "-", "--config", two.conf],
                              input=stream, capture_output=True, check=True)
    assert done.returncode == 0
    assert sorted(two.picstore("ls").stdout.splitlines()) == sorted(one.picstore("ls").stdout.splitlines()), \
        "the same files under the same ids, with the same sizes and times"
    before = answers(one, names)
    assert answers(two, names) == before
    assert sum(1 for (ask, _), said in before.items() if ask == "metadata" and said != 2) >= 12
    assert sum(1 for (ask, _), said in before.items() if ask == "slaves" and said) >= 12
    again = two.picstore("import", "--from", "export", tmp_path / "export") if how == "folder" else None
    assert how == "stream" or f"{len(one.listed())} there already" in again.stderr
    changed = change_all(one, names)
    assert change_all(two, names) == changed
    assert sum(1 for said in changed.values() if isinstance(said, tuple)) == 7, "the appenders"
    for store in (one, two):
        assert store.picstore("fsck").returncode == 0


def test_what_came_from_an_export_is_deleted_as_it_would_have_been(installations, tmp_path):
    one, two = two_alike(installations)
    names = fill(one, tmp_path / "fastdfs", 10).keys() | set(one.listed())
    one.picstore("export", tmp_path / "export")
    two.picstore("import", "--from", "export", tmp_path / "export")
    left = []
    for store in (one, two):
        store.picstore("rm", "--now", "--force", *sorted(names)[::2])
        found = answers(store, names)
        for name in store.listed():
            with storage_of(store, name[:3]) as storage:
                storage.delete(name)
        left.append((found, store.listed()))
    assert left[0] == left[1] and left[0][1] == []
    said = [answer for (ask, _), answer in left[0][0].items() if ask == "download"]
    assert len(names) / 2 < said.count(fdfs.ENOENT) < len(names), "some were there, and slaves went with masters"


def test_an_export_into_a_store_of_another_name_serves_the_same_ids(installations, tmp_path, empty):
    one = installations({("storage g01", "id"): 711}).start("--no-self-test")
    olds = fill(one, tmp_path / "fastdfs", 20, most=15)  # and its own one makes 16
    before = everything(one)
    one.picstore("export", tmp_path / "export")
    empty.picstore("import", "--from", "export", tmp_path / "export")
    for file_id, content in (before | olds).items():
        with storage_of(empty, file_id[:3]) as storage:
            assert storage.download(file_id) == content


def test_a_group_of_two_storages_is_put_back_on_both(installations, tmp_path):
    """Each gets what it had, whichever the tracker would have chosen."""
    settings = {("storage g01", "id"): 721, ("storage g02", "id"): 722, ("storage g02", "group"): GROUP}
    one, two = (installations(dict(settings)).start("--no-self-test") for _ in range(2))
    for section in ("g01", "g02"):
        with storage_of(one, section) as storage:
            for i in range(10):
                storage.upload(random.Random(section + str(i)).randbytes(1000 * i), "jpg")
            family(storage)
    one.picstore("export", tmp_path / "export")
    two.picstore("import", "--from", "export", tmp_path / "export")
    assert sorted(two.picstore("ls").stdout.splitlines()) == sorted(one.picstore("ls").stdout.splitlines())
    held = []
    for store in (one, two):
        held.append({})
        for section in ("g01", "g02"):
            with storage_of(store, section) as storage:
                for name in one.listed():
                    status, content = storage.ask(fdfs.DOWNLOAD, bytes(16) + b"".join(fdfs.split(name)))
                    held[-1][section, name] = (status, content, storage.ask(fdfs.GET_METADATA,
                                                                             b"".join(fdfs.split(name))))
    assert held[0] == held[1]
    assert {status for status, _, _ in held[0].values()} == {0, fdfs.ENOENT}


def test_where_there_is_no_such_store_path_files_become_pictures_with_their_names(installations, tmp_path):
    one, _ = two_alike(installations)
    two = installations({("storage g01", "id"): 701, ("storage g02", "id"): 702}).start("--no-self-test")
    names = fill(one, tmp_path / "fastdfs", 5, most=15).keys() | set(one.listed())
    one.picstore("export", tmp_path / "export")
    two.picstore("import", "--from", "export", tmp_path / "export")
    before, after = answers(one, names), answers(two, names)
    for ask in ("download", "metadata"):
        for name in names:
            assert after[ask, name] == before[ask, name], (ask, name)
    assert any("/M01/" in name for name in names)


def test_an_export_with_failures_leaves_the_older_manifest_alone(own, tmp_path):
    folder = tmp_path / "export"
    with storage_of(own) as storage:
        first = storage.upload(pictures.drawn(seed=700), "jpg")
        log = storage.upload_appender(b"one")
        storage.set_metadata(first, b"a\x021")
        own.picstore("export", folder)
        before = (folder / "manifest").read_text()
        storage.append(log, b" two")
        storage.set_metadata(first, b"a\x022")
        second = storage.upload(pictures.drawn(seed=701), "jpg")
        bad = storage.upload(b"damage " * 1000, "jpg")
    content = own.volumes(GROUP)[0].read_bytes()
    with open(own.volumes(GROUP)[0], "r+b") as file:
        file.seek(content.index(b"damage damage") + 100)
        file.write(b"DAMAGE")
    done = own.picstore("export", folder, check=False)
    assert done.returncode == 1 and bad in done.stderr and "manifest.partial" in done.stderr
    assert (folder / "manifest").read_text() == before
    partial = (folder / "manifest.partial").read_text()
    assert second in partial and bad not in partial and partial.splitlines()[-1].startswith("end\t4\t")
    digests = {line.split("\t")[5]: line.split("\t")[4] for line in before.splitlines()[1:-1]}
    for path, sha in digests.items():
        assert hashlib.sha256((folder / path).read_bytes()).hexdigest() == sha, "as the older manifest says"
    with storage_of(own) as storage:
        storage.delete(bad)
    own.picstore("export", folder)
    assert second in (folder / "manifest").read_text() and not (folder / "manifest.partial").exists()


def test_slaves_of_what_was_deleted_do_not_come_back(own, tmp_path):
    """Deleted with everything that was made from it: neither an older export nor a cluster that still
    has it bring back a part.  What another store's master has left behind is taken."""
    with storage_of(own) as storage:
        master = storage.upload(pictures.drawn(seed=710), "jpg")
        first = storage.upload_slave(master, "_1", b"a slave", "png")
        second = storage.upload_slave(first, "_2", b"a slave of a slave", "png")
    own.picstore("export", tmp_path / "export")
    own.picstore("rm", "--now", master)
    done = own.picstore("import", "--from", "export", tmp_path / "export")
    assert "3 deleted before" in done.stderr and done.stdout == "" and own.listed() == []
    source = FastDFS(tmp_path / "fastdfs")
    old = source.normal(pictures.drawn(seed=711))
    other = source.normal(pictures.drawn(seed=712))
    import_fastdfs(own, source)
    own.picstore("rm", "--now", old)
    late = source.slave(old, "_late", b"came later")
    fine = source.slave(other, "_fine", b"its master is there")
    left = source.slave(f"{GROUP}/{source.name(b'not here')}", "_left", b"its master never was")
    done = import_fastdfs(own, source)
    assert "2 deleted before" in done.stderr and result(done).keys() == {fine, left}
    for name in (master, first, second, old, late):
        with storage_of(own) as storage, pytest.raises(fdfs.Failed) as failure:
            storage.download(name)
        assert failure.value.status == fdfs.ENOENT


def test_an_export_that_was_cut_off_or_damaged_is_told(installations, tmp_path, empty):
    one = installations().start("--no-self-test")
    with storage_of(one) as storage:
        ids = [storage.upload(pictures.drawn(seed=500 + i), "jpg") for i in range(4)]
    one.picstore("export", tmp_path / "export")
    stream = one.picstore("export", "-", text=False).stdout
    (tmp_path / "export/pictures" / ids[0]).write_bytes(pictures.drawn(seed=600))
    (tmp_path / "export/pictures" / ids[1]).unlink()
    done = empty.picstore("import", "--from", "export", tmp_path / "export", check=False)
    assert done.returncode == 1 and "2 failed" in done.stderr
    assert f"{ids[0]}: " in done.stderr and f"{ids[1]}: " in done.stderr
    done = subprocess.run([PICSTORE, "import", "--from", "export", "-", "--config", empty.conf],
                          input=stream[:-10], capture_output=True, check=False)
    assert done.returncode == 1 and b"cut off" in done.stderr
    one.picstore("export", tmp_path / "export")
    assert empty.picstore("import", "--from", "export", tmp_path / "export").returncode == 0
    assert everything(empty) == everything(one) or set(everything(empty).values()) == \
        set(everything(one).values())


# -- kill -9

def killed(installation, words, lines, stdin=None):
    """Run a command and kill it when it has printed so many lines."""
    process = subprocess.Popen([PICSTORE, *words, "--config", installation.conf],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, stdin=stdin)
    seen = [process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    process.wait()
    assert all(seen), "it had to be killed in the middle"
    return [line for line in ("".join(seen) + rest).splitlines() if line.count("\t") == 1]


def test_imports_that_are_killed_go_on(empty, tmp_path):
    source = FastDFS(tmp_path / "fastdfs")
    for i in range(300):
        source.normal(pictures.with_comment(pictures.drawn(), i))
    words = ["import", "--from", "fastdfs", "--group", GROUP, *map(str, source.paths)]
    for lines in (20, 60):
        killed(empty, words, lines)
    done = import_fastdfs(empty, source)
    assert done.returncode == 0 and "there already" in done.stderr
    assert len(empty.listed()) == 300, "nothing is stored twice: what was asked for is repeated safely"
    expect_served(empty, dict(list(source.files.items())[::10]))


def test_an_import_of_an_export_that_is_killed_goes_on(installations, tmp_path):
    """Slaves, appenders and metadata among it; the storage is killed, too."""
    one, two = two_alike(installations)
    with storage_of(one) as storage:
        for i in range(100):
            name = storage.upload(b"%d" % i, "jpg")
            storage.upload_slave(name, "_s", b"slave %d" % i, "jpg")
            storage.upload_appender(b"appender %d" % i)
            storage.set_metadata(name, b"n\x02%d" % i)
    one.picstore("export", tmp_path / "export")
    words = ["import", "--from", "export", str(tmp_path / "export")]
    for lines in (40, 100):
        killed(two, words, lines)
        two.kill("storage_server-g01")
    done = two.picstore(*words)
    assert "there already" in done.stderr
    # A picture whose place was passed over when the storage was killed has another, and its name besides.
    ids = set(one.listed())
    same = ids & set(two.listed())
    assert len(two.listed()) == len(ids) and len(ids - same) <= 10
    assert answers(two, same) == answers(one, same)
    before, after = (answers(at, ids - same) for at in (one, two))
    for key in before:
        assert key[0] in ("info", "names") or after[key] == before[key]


def test_a_folder_import_that_is_killed_goes_on(empty, tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(200):
        (tmp_path / f"in/{i}.jpg").write_bytes(pictures.with_comment(pictures.drawn(), i))
    words = ["import", "--from", "folder", "-j4", "--journal", str(tmp_path / "journal"), str(tmp_path / "in")]
    killed(empty, words, 50)
    done = empty.picstore(*words)
    assert done.returncode == 0 and "there already" in done.stderr
    contents = list(everything(empty).values())
    assert len(set(contents)) == 200 and len(contents) <= 200 + 4


def test_a_storage_that_is_killed_during_an_import_loses_nothing(empty, tmp_path):
    source = FastDFS(tmp_path / "fastdfs")
    for i in range(200):
        source.normal(pictures.with_comment(pictures.drawn(), i))
    process = subprocess.Popen(
        [PICSTORE, "import", "--from", "fastdfs", "--group", GROUP, *source.paths, "--config", empty.conf],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    first = [process.stdout.readline() for _ in range(30)]
    empty.kill("storage_server-g01")
    acknowledged = result(subprocess.CompletedProcess([], 0, "".join(first) + process.stdout.read()))
    process.wait()
    expect_served(empty, {old: source.files[old] for old in acknowledged})
    import_fastdfs(empty, source)
    expect_served(empty, dict(list(source.files.items())[::10]))


def test_a_killed_export_goes_on(empty, tmp_path):
    with storage_of(empty) as storage:
        for i in range(300):
            storage.upload(pictures.with_comment(pictures.drawn(), i), "jpg")
    folder = tmp_path / "export"
    process = subprocess.Popen([PICSTORE, "export", folder, "--config", empty.conf],
                               stderr=subprocess.DEVNULL)
    until(lambda: len(list(folder.glob("pictures/*/*/*/*/*"))) > 20 or process.poll() is not None, "files")
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = empty.picstore("export", folder)
    assert "there already" in done.stderr
    assert (folder / "manifest").read_text().splitlines()[-1].startswith("end\t300\t")

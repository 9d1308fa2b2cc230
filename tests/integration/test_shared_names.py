"""Slave files, appender files, metadata and names of elsewhere in a group that two storages share:
what test_names.py and test_old_names.py say of volumes, with every request at the other storage."""
import json
import signal
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

import buckets
import fdfs
import pictures
import postgres
import s3_double
import web
from installation import Installation
# Tests of volumes that run here as they are, with the fixtures below.
from test_names import (  # noqa: F401
    fails, fsck, test_a_slave_file, test_an_appender_file_has_a_greatest_size, test_an_empty_appender_file,
    test_changes_that_make_no_sense, test_metadata, test_metadata_belongs_to_one_name,
    test_metadata_that_is_refused, test_only_appender_files_can_be_changed, test_over_http,
    test_pipelined_changes_happen_in_order, test_slaves_are_named_as_fastdfs_does,
    test_slaves_that_cannot_be, test_the_body_of_a_refused_slave_is_not_taken_for_requests,
    test_the_life_of_an_appender_file, test_the_longest_names_of_slaves,
    test_the_name_of_an_appender_says_that_it_is_one, test_what_was_made_of_a_picture_goes_with_it)
from test_old_names import (  # noqa: F401
    fastdfs, test_a_name_may_be_shorter_than_ours, test_a_slave_that_was_moved_does_not_take_its_sisters_along,
    test_no_slave_is_made_where_a_moved_one_is, test_slaves_go_with_their_master_by_any_of_its_names,
    test_slaves_that_were_moved_too_go_with_their_master, test_what_was_cut_from_a_slave_goes_with_its_master)
from test_moving import import_fastdfs, result
from wait import until

SERVICE_DOWN = 107


@pytest.fixture(scope="module")
def database():
    if not postgres.there():
        pytest.skip("no PostgreSQL")
    one = postgres.Postgres()
    one.start()
    yield one
    one.remove()


@pytest.fixture(scope="module")
def shared_stack(database):
    """Its group g01 lies in a bucket and in PostgreSQL, and has two storages."""
    with s3_double.S3Double() as double:
        one = Installation()
        try:
            values = {("download", "local_read"): "no", ("storage g01", "store_path"): "",
                      ("upload", "metadata"): "127.0.0.1:7004"}
            for number, name in ((1, "g01"), (2, "twin")):
                mine = buckets.storage(double, number, group="g01", names_postgres=database.conninfo)
                values |= {(f"storage {name}", key): value for key, value in mine.items()}
            values["storage twin", "listen"] = "127.0.0.1:3"
            one.settings = values
            buckets.give_secrets(one)
            one.start("--no-self-test")
            one.storage["twin"] = one.base + 6
            one.double = double
            yield one
        finally:
            one.remove()


@pytest.fixture
def stack(shared_stack):
    return shared_stack


class Turns(fdfs.Client):
    """Each call goes to the other storage than the one before."""

    def __init__(self, ports):
        super().__init__(ports[0])
        self.others = [fdfs.Client(port) for port in ports[1:]]
        self.turn = 0

    def call(self, command, body=b""):
        self.turn = (self.turn + 1) % (len(self.others) + 1)
        if self.turn:
            return self.others[self.turn - 1].call(command, body)
        return super().call(command, body)

    def __exit__(self, *args):
        for other in self.others:
            other.__exit__(*args)
        super().__exit__(*args)


@pytest.fixture
def storage(stack):
    with Turns([stack.storage["g01"], stack.storage["twin"]]) as client:
        yield client


# -- what volumes do not have

def test_a_name_that_both_make_at_once_is_made_once(stack, storage):
    master = storage.upload(b"master", "jpg")

    def make(number):
        with fdfs.Client(stack.storage["g01" if number % 2 else "twin"]) as client:
            try:
                return client.upload_slave(master, "_x", b"%d" % number, "jpg")
            except fdfs.Failed as failure:
                return failure.status
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(make, range(16)))
    names = [name for name in made if name != fdfs.EEXIST]
    assert len(names) == 1 and isinstance(names[0], str), made
    assert storage.download(names[0]) == storage.download(names[0]) == b"%d" % made.index(names[0])


def test_appends_of_both_at_once_are_all_there(stack, storage):
    name = storage.upload_appender(b"")

    def append(number):
        with fdfs.Client(stack.storage["g01" if number % 2 else "twin"]) as client:
            for i in range(10):
                client.append(name, b"%02d%02d" % (number, i))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(8)))
    content = storage.download(name)
    pieces = [content[at:at + 4] for at in range(0, len(content), 4)]
    assert sorted(pieces) == sorted(b"%02d%02d" % (number, i) for number in range(8) for i in range(10))
    for number in range(8):
        mine = [piece for piece in pieces if piece.startswith(b"%02d" % number)]
        assert mine == sorted(mine), "each client's in their order"
    assert storage.info(name)[::2] == (320, zlib.crc32(content))


def test_metadata_that_both_merge_at_once_is_all_there(stack, storage):
    file_id = storage.upload(b"m")

    def merge(number):
        with fdfs.Client(stack.storage["g01" if number % 2 else "twin"]) as client:
            client.set_metadata(file_id, b"key%02d\x02%d" % (number, number), "M")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(merge, range(16)))
    assert storage.metadata(file_id) == b"\x01".join(b"key%02d\x02%d" % (i, i) for i in range(16))


def test_a_deletion_that_was_cut_off_is_finished_by_repeating_it(stack, storage, database):
    """Between the picture and its metadata."""
    file_id = storage.upload(b"cut off")
    storage.set_metadata(file_id, b"a\x021")
    del stack.double.objects["some/prefix/" + file_id]
    fails(fdfs.ENOENT, storage.metadata, file_id)
    fails(fdfs.ENOENT, storage.delete, file_id)
    name = file_id.removeprefix("g01/")
    assert database.sql(f"SELECT count(*) FROM picstore_names_g01.metadata WHERE name = '{name}'") == ["0"]


def test_a_picture_that_was_moved_here_answers_to_its_old_name_at_both(stack, storage, fastdfs):  # noqa: F811
    content = pictures.drawn(seed=700)
    old = fastdfs.normal(content)
    new = result(import_fastdfs(stack, fastdfs))[old]
    assert stack.double.objects["some/prefix/" + new] == content
    for _ in range(2):
        assert storage.download(old) == storage.download(new) == content
        assert storage.info(old)[0] == len(content)
    assert web.get(stack.varnish, "/" + old).body == content
    storage.set_metadata(old, b"a\x021")
    assert storage.metadata(new) == b"a\x021"
    storage.delete(old)
    for name in (old, new, old, new):
        fails(fdfs.ENOENT, storage.download, name)


def test_while_the_database_is_away_pictures_are_served_and_the_rest_is_told_so(stack, storage, database):
    picture = pictures.drawn(seed=701)
    file_id = storage.upload(picture)
    slave = storage.upload_slave(file_id, "_x", b"slave", "jpg")
    database.stop(signal.SIGQUIT)
    try:
        for _ in range(2):
            assert storage.download(file_id) == picture
        other = storage.upload(picture)
        assert storage.download(other) == storage.download(other) == picture
        assert web.get(stack.varnish, "/" + other).body == picture
        for _ in range(2):
            fails(SERVICE_DOWN, storage.download, slave)
            fails(SERVICE_DOWN, storage.metadata, file_id)
            fails(SERVICE_DOWN, storage.upload_appender, b"x")
    finally:
        database.start()
    until(lambda: works(storage, slave), "both are connected again")
    assert storage.download(slave) == storage.download(slave) == b"slave"
    storage.delete(slave)
    storage.delete(file_id)


def works(storage, slave):
    try:
        return [storage.download(slave) for _ in range(2)]
    except fdfs.Failed:
        return None


# -- the command

def test_fsck_reads_every_object_and_every_name(stack, storage, database):
    master = storage.upload(b"master", "jpg")
    slave = storage.upload_slave(master, "_1", b"x" * 150_000, "jpg")
    storage.set_metadata(master, b"a\x021")
    before = fsck(stack)
    assert before["clean"], before
    assert before["pictures"] == len(stack.listed("g01")) - before["names"]
    key = "some/prefix/" + master
    stack.double.objects[key] = b"mASTER"
    stack.double.objects["some/prefix/g01/stray"] = b""
    said = stack.picstore("fsck", "g01", check=False)
    assert said.returncode == 1 and "NOT CLEAN" in said.stdout
    assert f"{key} does not match its id" in said.stdout and "stray has no id" in said.stdout
    assert fsck(stack)["corrupt"] == 2
    assert fsck(stack, "--quick")["corrupt"] == 1, "of the same size"
    del stack.double.objects[key], stack.double.objects["some/prefix/g01/stray"]
    assert fsck(stack)["stray_metadata"] == before["stray_metadata"] + 1
    assert fsck(stack, "--repair")["clean"] and fsck(stack)["stray_metadata"] == 0
    number = database.sql("SELECT number FROM picstore_names_g01.files WHERE name = "
                          f"'{slave.removeprefix('g01/')}'")[0]
    database.sql("UPDATE picstore_names_g01.chunks SET bytes = substr(bytes, 2) WHERE "
                 f"id >> 20 = {number} AND id & 1048575 = 1")
    figures = fsck(stack)
    assert (figures["clean"], figures["corrupt"]) == (False, 1)
    fails(5, storage.download, slave)
    storage.delete(slave)
    assert fsck(stack)["clean"]


def test_ls_and_export_have_what_is_found_by_name(stack, storage, installations, tmp_path):
    master = storage.upload(pictures.drawn(seed=710))
    slave = storage.upload_slave(master, "_1", pictures.drawn(seed=711), "png")
    appender = storage.upload_appender(b"so far")
    storage.set_metadata(master, b"a\x021")
    assert {master, slave, appender} <= set(stack.listed("g01"))
    tmp_path.chmod(0o755)
    stack.picstore("export", "--group", "g01", tmp_path / "export")
    other = installations().start("--no-self-test")
    other.picstore("import", "--from", "export", tmp_path / "export")
    with fdfs.Client(other.storage["g01"]) as there:
        assert there.download(master) == pictures.drawn(seed=710)
        assert there.download(slave) == pictures.drawn(seed=711)
        assert there.download(appender) == b"so far"
        assert there.metadata(master) == b"a\x021"
        assert there.slaves(master) == [slave]


def test_reindex_knows_the_pictures_of_the_bucket(stack):
    file_id = web.stored(web.upload(stack.varnish, stack.token(), pictures.drawn(seed=712)))
    while not file_id.startswith("g01/"):
        file_id = web.stored(web.upload(stack.varnish, stack.token(), pictures.drawn(seed=712)))
    figures = json.loads(stack.picstore("reindex", "--json", "--younger", "-n").stdout)
    assert (figures["lost"], figures["elsewhere"]) == (0, 0) and figures["known"] > 0, figures
    del stack.double.objects["some/prefix/" + file_id]
    figures = json.loads(stack.picstore("reindex", "--json", "--younger", "-n").stdout)
    assert figures["lost"] == 1, figures


def test_one_storage_dies_and_the_other_knows_every_name(stack, storage):
    master = storage.upload(pictures.drawn(seed=702))
    slave = storage.upload_slave(master, "_x", pictures.drawn(seed=703), "png")
    appender = storage.upload_appender(b"one")
    storage.set_metadata(master, b"a\x021")
    stack.down("storage_server-g01")
    try:
        with fdfs.Client(stack.storage["twin"]) as twin:
            assert twin.download(slave) == pictures.drawn(seed=703)
            assert twin.metadata(master) == b"a\x021"
            twin.append(appender, b" two")
            assert twin.slaves(master) == [slave]
        assert web.get(stack.varnish, "/" + slave).body == pictures.drawn(seed=703)
    finally:
        stack.up("storage_server-g01")
    with fdfs.Client(stack.storage["g01"]) as again:
        assert again.download(appender) == b"one two"

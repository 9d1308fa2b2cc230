"""Names that pictures had elsewhere: what belongs to a picture belongs to it under each of them."""
import base64
import contextlib
import os
import struct
import subprocess
import zlib

import pytest

import fdfs
import package
import pictures
import web
from installation import PICSTORE
from test_moving import GROUP, FastDFS, import_fastdfs, result, storage_of, text64
from test_names import names_db


@pytest.fixture
def fastdfs(tmp_path):
    return FastDFS(tmp_path)


@pytest.fixture
def storage(stack):
    with storage_of(stack) as client:
        yield client


def delete_now(stack, file_id):
    with package.Caller(stack.cs_del_svr[0]) as caller:
        assert caller.delete_now([file_id]) == package.OK


def expect_gone(stack, storage, file_id):
    assert web.get(stack.varnish, "/" + file_id).status in (404, 410), file_id
    with pytest.raises(fdfs.Failed) as failure:
        storage.download(file_id)
    assert failure.value.status == fdfs.ENOENT


@pytest.mark.parametrize("tail", ["_s", "_s.jpg"])
def test_a_name_may_be_shorter_than_ours(stack, storage, fastdfs, tail):
    content = pictures.drawn(seed=500)
    name = fastdfs.name(b"its master", ext=".jpegxx")
    slave = fastdfs.put(name[:37] + tail, content)
    assert len(slave) < len("g01/") + 44
    import_fastdfs(stack, fastdfs)
    assert storage.download(slave, 3, 4) == content[3:7]
    assert storage.info(slave)[::2] == (len(content), zlib.crc32(content))
    storage.set_metadata(slave, b"a\x021\x01b\x022")
    assert storage.metadata(slave) == b"a\x021\x01b\x022"
    storage.delete(slave)
    expect_gone(stack, storage, slave)


@pytest.mark.parametrize("made_by, deleted_by", [("old", "new"), ("new", "old"), ("old", "old")])
def test_slaves_go_with_their_master_by_any_of_its_names(stack, storage, fastdfs, made_by, deleted_by):
    master = {"old": fastdfs.normal(pictures.drawn(seed=501))}
    master["new"] = result(import_fastdfs(stack, fastdfs))[master["old"]]
    slave = storage.upload_slave(master[made_by], "_x", pictures.drawn(seed=502), "png")
    assert slave == master[made_by][:-4] + "_x.png"
    assert storage.slaves(master["old"]) == storage.slaves(master["new"]) == [slave]
    assert web.get(stack.varnish, "/" + slave).status == 200
    delete_now(stack, master[deleted_by])
    expect_gone(stack, storage, slave)


@pytest.mark.parametrize("deleted_by", ["old", "new"])
def test_slaves_that_were_moved_too_go_with_their_master(stack, storage, fastdfs, deleted_by):
    master = {"old": fastdfs.normal(pictures.drawn(seed=503))}
    slave = fastdfs.slave(master["old"], "_x", pictures.drawn(seed=504))
    of_slave = fastdfs.put(slave[4:-4] + "_y.png", pictures.drawn(seed=505))
    other = fastdfs.normal(pictures.drawn(seed=506))
    new = result(import_fastdfs(stack, fastdfs))
    master["new"] = new[master["old"]]
    late = storage.upload_slave(new[slave], "_z", pictures.drawn(seed=507), "png")
    family = [slave, new[slave], of_slave, new[of_slave], late]
    for file_id in family:
        assert web.get(stack.varnish, "/" + file_id).status == 200
    assert sorted(storage.slaves(master["old"])) == sorted(family)
    delete_now(stack, master[deleted_by])
    for file_id in family:
        expect_gone(stack, storage, file_id)
    assert storage.download(other)


def test_a_slave_that_was_moved_does_not_take_its_sisters_along(stack, storage, fastdfs):
    master = fastdfs.normal(pictures.drawn(seed=508))
    one, ten = (fastdfs.slave(master, prefix, pictures.drawn(seed=509 + i))
                for i, prefix in enumerate(("_1", "_10")))
    import_fastdfs(stack, fastdfs)
    delete_now(stack, one)
    expect_gone(stack, storage, one)
    assert storage.download(ten) and storage.download(master)


def test_what_was_cut_from_a_slave_goes_with_its_master(stack, storage):
    master = storage.upload(pictures.drawn(seed=511))
    slave = storage.upload_slave(master, "_x", pictures.drawn(seed=512), "png")
    cut = stack.picstore("cut", "8x8", slave).stdout.split()[0]
    assert web.get(stack.varnish, "/" + cut).status == 200
    delete_now(stack, master)
    for file_id in (master, slave, cut):
        expect_gone(stack, storage, file_id)


def test_no_slave_is_made_where_a_moved_one_is(stack, storage, fastdfs):
    master = fastdfs.normal(pictures.drawn(seed=513))
    slave = fastdfs.slave(master, "_x", pictures.drawn(seed=514))
    import_fastdfs(stack, fastdfs)
    with pytest.raises(fdfs.Failed) as failure:
        storage.upload_slave(master, "_x", b"another", "png")
    assert failure.value.status == fdfs.EEXIST
    assert storage.download(slave) == fastdfs.files[slave]


def of_this_address(storage, content):
    """A name that a FastDFS on this machine could have given."""
    ours = storage.upload(b"to see the address")
    address = base64.urlsafe_b64decode(ours[4 + 10:4 + 37] + "=")[:4]
    rest = struct.pack(">IQI", 1549867346, 1 << 63 | 0x123456 << 32 | len(content), zlib.crc32(content))
    return f"M00/7A/7B/{text64(address + rest)}123.jpg"


@pytest.mark.parametrize("deleted_by", ["old", "new"])
def test_metadata_is_that_of_the_picture_by_any_name(stack, storage, fastdfs, deleted_by):
    content = pictures.drawn(seed=520 + len(deleted_by) + ord(deleted_by[0]))
    name = {"old": fastdfs.put(of_this_address(storage, content), content)}
    fastdfs.file(name["old"][4:] + "-m").write_bytes(b"a\x021")
    name["new"] = result(import_fastdfs(stack, fastdfs))[name["old"]]
    assert storage.metadata(name["old"]) == storage.metadata(name["new"]) == b"a\x021"
    storage.set_metadata(name["old"], b"a\x022")
    assert storage.metadata(name["new"]) == b"a\x022"
    storage.delete(name[deleted_by])
    with pytest.raises(fdfs.Failed):
        storage.metadata(name["new"])
    with contextlib.closing(names_db(stack)) as db:
        kept = {row[0] for row in db.execute("SELECT name FROM metadata")}
    assert not kept & {file_id[4:] for file_id in name.values()}


def test_imports_of_the_same_at_once_store_it_once(installations, fastdfs):
    stack = installations().start("--no-self-test")
    for _ in range(30):
        fastdfs.normal(os.urandom(200000))
    words = ["import", "--from", "fastdfs", "--group", GROUP, "--jobs", "8", "--config", stack.conf]
    imports = [subprocess.Popen([PICSTORE, *words, *fastdfs.paths], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True) for _ in range(3)]
    for running in imports:
        said, _ = running.communicate(timeout=120)
        assert running.returncode == 0, said
    assert len(stack.listed(GROUP)) == 30
    with storage_of(stack) as storage:
        for file_id, content in fastdfs.files.items():
            assert storage.download(file_id) == content

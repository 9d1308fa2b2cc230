"""A group in a real Ceph cluster: by librados, and by S3 through a radosgw."""
import contextlib
import subprocess
import time

import pytest

import fdfs
import pictures
import web
from ceph import OSDS, POOL, Ceph, make_key
from installation import BUILD, Installation
from uploaders import Uploaders
from wait import until

pytestmark = pytest.mark.ceph
PARTS = {1: "storage_server-ra", 2: "storage_server-rb"}
STORAGE = BUILD / "src/programs/storage_server/storage_server"
CONTRACT = BUILD / "tests/unit/store/test_engine_contract"
HANG_S = 25


@pytest.fixture(scope="module")
def ceph():
    with Ceph(radosgw=True) as one:
        yield one


def settings(ceph, **more):
    """The storages ra and rb of the group pics, where uploads go."""
    found = {("upload", "group"): "pics", ("upload", "session_check"): ""}
    for number, name in ((1, "ra"), (2, "rb")):
        section = {"group": "pics", "listen": f"127.0.0.1:{2 + number}", "http_listen": f"127.0.0.1:{12 + number}",
                   "id": number, "max_file_size": "16M", "journal": "../journal", **ceph.storage_settings(), **more}
        found |= {(f"storage {name}", key): value for key, value in section.items()}
    return found


@pytest.fixture(scope="module")
def pool(ceph):
    one = Installation(settings(ceph))
    try:
        one.start("--no-self-test")
        one.storage |= {1: one.base + 6, 2: one.base + 7}
        one.ceph = ceph
        yield one
    finally:
        one.remove()


def put(pool, number, content=b"some bytes", ext="jpg"):
    with fdfs.Client(pool.storage[number]) as storage:
        return storage.upload(content, ext)


def read(pool, number, file_id):
    with fdfs.Client(pool.storage[number]) as storage:
        return storage.download(file_id)


# -- what every engine promises

def make_bucket(ceph):
    subprocess.run(["curl", "-sSf", "-X", "PUT", "--aws-sigv4", "aws:amz:default:s3", "--user",
                    f"{ceph.s3['access']}:{ceph.s3['secret']}", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD",
                    f"{ceph.s3['endpoint']}/{POOL}"], check=True, timeout=60)


@pytest.mark.parametrize("engine", ["rados", "s3"])
def test_the_engine_keeps_its_contract(ceph, engine):
    if engine == "s3":
        make_bucket(ceph)
    done = subprocess.run([CONTRACT], env=ceph.environment() | {"ENGINE": engine}, capture_output=True, text=True,
                          check=False, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr


# -- what is refused at the start

def start_storage(ceph, tmp_path, **more):
    """A storage alone: how it ends if it does, and what it says."""
    conf = tmp_path / "picstore.conf"
    values = ceph.storage_settings(listen="127.0.0.1:0", id=1, journal=tmp_path / "journal", rados_connect_timeout="2s", **more)
    conf.write_text(f"[picstore]\nrun_dir = {tmp_path}\nsecret_dir = {tmp_path}\n[storage ra]\n"
                    + "".join(f"{key} = {value}\n" for key, value in values.items()))
    with open(tmp_path / "log", "w+") as log:
        process = subprocess.Popen([STORAGE, "-c", conf, "-i", "ra"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            until(lambda: process.poll() is not None or "group ra at" in (tmp_path / "log").read_text(), "it starts or ends")
            return process.poll(), (tmp_path / "log").read_text()
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(30)


def test_what_cannot_be_opened_is_refused_with_the_reason(ceph, tmp_path):
    other = tmp_path / "other.keyring"
    other.write_text(f"[client.picstore]\n\tkey = {make_key()}\n")
    nowhere = tmp_path / "nowhere.conf"
    nowhere.write_text("[global]\nmon host = v2:127.0.0.1:1/0\n")
    for wrong, reason in (({"rados_pool": "another"}, "pool another does not open: No such file"),
                          ({"rados_keyring": other}, "the cluster does not let client.picstore in"),
                          ({"rados_keyring": tmp_path / "none"}, "No such file"),
                          ({"rados_conf": tmp_path / "none"}, "No such file"),
                          ({"rados_conf": nowhere}, "does not answer")):
        status, log = start_storage(ceph, tmp_path, **wrong)
        assert status not in (None, 0) and reason in log, log


def test_a_pool_that_acknowledges_with_one_copy_is_refused_or_warned_of(ceph, tmp_path):
    assert start_storage(ceph, tmp_path)[0] is None, "this one is good"
    ceph.ask("osd pool set", pool=POOL, var="min_size", val="1")
    try:
        status, log = start_storage(ceph, tmp_path)
        assert status not in (None, 0) and "pool pics has size 3 and min_size 1" in log, log
        status, log = start_storage(ceph, tmp_path, rados_replicas="warn")
        assert status is None and "pool pics has size 3 and min_size 1" in log, log
    finally:
        ceph.ask("osd pool set", pool=POOL, var="min_size", val="2")


# -- the whole chain

def test_a_picture_is_uploaded_delivered_cut_and_deleted(pool):
    picture = pictures.drawn(640, 480, seed=41)
    file_id = web.stored(web.upload(pool.varnish, pool.token(), picture))
    assert file_id.startswith("pics/M00/")
    with pool.ceph.pool() as objects:
        assert objects.read(file_id, 1 << 20) == picture, "the object is the picture"
    for port in (pool.varnish, pool.lighttpd, pool.base + 84, pool.base + 85):
        answer = web.get(port, "/" + file_id)
        assert (answer.status, answer.body) == (200, picture), port
    part = web.get(pool.varnish, "/" + file_id, Range="bytes=100-199")
    assert (part.status, part.body) == (206, picture[100:200])
    cut = pool.picstore("cut", "64x48", file_id).stdout.split("\t")[0]
    assert {file_id, cut} <= pool.ceph.objects()
    pool.picstore("rm", file_id)
    assert not {file_id, cut} & pool.ceph.objects(), "what was cut goes with it"
    for one in (file_id, cut):
        for port in (pool.varnish, pool.lighttpd):
            assert web.get(port, "/" + one).status == 404


def test_the_doctor_the_list_and_the_status_know_it(pool):
    pool.picstore("doctor")
    file_id = put(pool, 1, b"x" * 77)
    lines = pool.picstore("ls", "pics").stdout.splitlines()
    assert [line.split("\t")[:2] for line in lines if file_id in line] == [[file_id, "77"]], "once"
    assert len(lines) == len(pool.ceph.objects())

    def free():
        group = next(one for one in pool.status()[0]["groups"] if one["group"] == "pics")
        return {one["free_mib"] for one in group["storages"]}
    # What three OSDs of 4 GiB hold in three copies, and not the guess of who does not know.
    until(lambda: all(1 << 10 < mib < 4 << 10 for mib in free()), "the room is that of the pool")


def test_each_storage_serves_describes_and_deletes_what_the_other_took_in(pool):
    for taker, other in ((1, 2), (2, 1)):
        file_id = put(pool, taker, b"a few bytes")
        with fdfs.Client(pool.storage[other]) as storage:
            assert storage.download(file_id) == b"a few bytes"
            assert storage.download(file_id, 2, 3) == b"few"
            assert storage.info(file_id)[0] == 11
            storage.delete(file_id)
            with pytest.raises(fdfs.Failed) as failure:
                storage.delete(file_id)
            assert failure.value.status == fdfs.ENOENT
        with pytest.raises(fdfs.Failed) as failure:
            read(pool, taker, file_id)
        assert failure.value.status == fdfs.ENOENT


def test_wrong_bytes_never_leave_the_house(pool):
    picture = pictures.drawn(seed=52)
    file_id = put(pool, 1, picture)
    with pool.ceph.pool() as objects:
        objects.write_full(file_id, picture[:-1] + b"?")
    assert web.get(pool.varnish, "/" + file_id).status == 502
    for other in (picture[:-1], picture + b"?"):
        with pool.ceph.pool() as objects:
            objects.write_full(file_id, other)
        with pytest.raises(fdfs.Failed):
            read(pool, 2, file_id)


# -- a cluster that fails, under load

@contextlib.contextmanager
def phase(load, name):
    since = time.monotonic()
    yield since
    load.report(name, since)


def quota(ceph, max_bytes):
    ceph.ask("osd pool set-quota", pool=POOL, field="max_bytes", val=str(max_bytes))


def test_nothing_acknowledged_is_lost_whatever_fails(pool, capfd):
    ceph, before = pool.ceph, pool.ceph.objects()
    with capfd.disabled(), Uploaders(pool) as load:
        print()
        with phase(load, "nothing fails"):
            load.wait_for(300)
        with phase(load, "an OSD is killed, and starts again"):
            ceph.kill(OSDS[1])
            load.wait_for(300)
            ceph.start_daemon(OSDS[1])
            until(lambda: ceph.osds_up() == len(OSDS), "it is up", 60)
            load.wait_for(300)
        with phase(load, "a storage_server is killed"):
            pool.kill(PARTS[1])
            load.wait_for(300)
        with phase(load, "the pool is at its quota") as since:
            taken = load.take()
            quota(ceph, 1)
            until(lambda: load.words(since)["507 store_full"] > 20, "uploads are refused", 60)
            assert web.get(pool.lighttpd, "/" + taken).status == 200, "reads go on"
            pool.picstore("rm", taken)
            load.deleted.add(taken)
            quota(ceph, 0)
            load.wait_for(300)
        with phase(load, f"an OSD is silent for {HANG_S} s"):
            ceph.hang(OSDS[2])
            end = time.monotonic() + HANG_S
            until(lambda: ceph.osds_up() < len(OSDS), "it is called down", 60)
            load.wait_for(100)
            until(lambda: time.monotonic() > end, "so long it is", HANG_S)
            ceph.wake(OSDS[2])
            until(lambda: ceph.osds_up() == len(OSDS), "it is up", 60)
            load.wait_for(300)
        with phase(load, "all daemons are killed, and start again"):
            ceph.kill(*[name for name in ceph.daemons if name != "rgw"])
            ceph.start_all()
            load.wait_for(300)
    with capfd.disabled():
        judge(pool, load, before)


def logged(pool, words):
    """Lines with these words in the logs of the storages."""
    return sum(line.count(words) for part in PARTS.values() for file in (pool.home / "log" / part).iterdir()
               for line in file.read_text(errors="replace").splitlines())


def judge(pool, load, before):
    kept = load.kept()
    wrong = load.wrong(pool.lighttpd)
    objects = pool.ceph.objects() - before
    # An upload of unknown outcome is taken back once the cluster is well; one that was still
    # on its way in the cluster then, a minute later.
    orphans = objects - set(kept) - load.unsure
    unknown = logged(pool, "command 11: unknown")
    print(f"{len(kept)} kept and {len(load.deleted)} deleted pictures read: {len(wrong)} wrong; "
          f"{unknown} uploads of unknown outcome, {len(orphans)} objects left that nobody was told of", flush=True)
    assert not wrong, wrong[:20]
    assert set(kept) <= objects and not load.deleted & objects
    assert len(orphans) <= unknown

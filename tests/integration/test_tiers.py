"""Pictures that go to a cold store, an S3 service that fails, and come back; while everything goes on."""
import json
import random
import shutil
import subprocess
import threading
import time

import pytest

import fdfs
import pictures
import s3_double
import web
from installation import PICSTORE, Installation, user_options
from test_backup import backup, fsck_of_the_copy, run
from wait import until

PART = "storage_server-g01"


def settings(double, **more):
    return {("storage g01", key): value for key, value in {
        "cold_engine": "s3", "s3_endpoint": double.url, "s3_region": s3_double.REGION,
        "s3_bucket": s3_double.BUCKET, "s3_prefix": "cold", "s3_timeout": "3s",
        "http_listen": "127.0.0.1:3", "punch_delay": "0s", "volume_size": "66M", "preallocate": "1M", **more}.items()} | {
            ("upload", "group"): "g01"}


def give_secrets(one):
    folder = one.home / "secret"
    folder.mkdir(mode=0o700, parents=True)
    for name, text in (("s3_access_key", s3_double.ACCESS), ("s3_secret_key", s3_double.SECRET)):
        (folder / name).touch(0o600)
        (folder / name).write_text(text + "\n")
    for path in (one.home, folder, *folder.iterdir()):
        if user_options():
            shutil.chown(path, user_options()[1])


@pytest.fixture(scope="module")
def double():
    with s3_double.S3Double() as one:
        yield one


@pytest.fixture(scope="module")
def whole(double):
    one = Installation(settings(double))
    give_secrets(one)
    one.double = double
    one.start("--no-self-test")
    yield one
    one.remove()


@pytest.fixture
def store(whole):
    """The installation, with a service that is well and an empty group, and it ends so."""
    yield whole
    whole.double.fail("ANY", "none", times=0)
    move(whole, "volume")
    for file_id in listed(whole):
        delete(whole, file_id)
    move(whole, "volume")
    assert not whole.double.objects, "no copy of anything is left"


def storage(one):
    return fdfs.Client(one.storage["g01"])


def put(one, content, ext="jpg"):
    with storage(one) as client:
        return client.upload(content, ext)


def read(one, file_id):
    with storage(one) as client:
        return client.download(file_id)


def reads(one, file_id):
    try:
        return read(one, file_id)
    except fdfs.Failed:
        return None


def delete(one, file_id):
    with storage(one) as client:
        client.delete(file_id)


def listed(one):
    return [line.split("\t")[0] for line in one.picstore("ls", "g01").stdout.splitlines()]


def report(done):
    return json.loads(done.stdout.splitlines()[-1])


def move(one, to, *options, check=True):
    return report(one.picstore("move", "--group", "g01", "--to", to, "--json", *options, check=check))


def status(one):
    """How it goes; "down" while the storage is started."""
    done = one.picstore("move", "--group", "g01", "--status", "--json", check=False)
    return report(done) if done.stdout else {"state": "down", "moved": 0}


def key_of(file_id):
    return "cold/" + file_id


def used(one):
    """Bytes on the disk under the group's volumes."""
    return sum(path.stat().st_blocks * 512 for path in one.volumes("g01"))


def some(count, size=60_000, seed=1):
    """{content: } of pictures that differ; bytes are enough for a storage."""
    dice = random.Random(seed)
    return [dice.randbytes(size + i) for i in range(count)]


# -- by age

def test_old_ones_go_and_young_ones_stay(store):
    old = {put(store, content): content for content in some(20)}
    second = int(time.time())
    until(lambda: time.time() >= second + 1, "the next second")
    young = {put(store, content): content for content in some(5, seed=2)}
    before = used(store)
    done = report(store.picstore("tier", "--before", str(second + 1), "--json"))
    assert (done["state"], done["moved"], done["young"], done["failed"]) == ("done", 20, 5, 0)
    assert {key_of(file_id) for file_id in old} == set(store.double.objects)
    for file_id, content in (old | young).items():
        assert read(store, file_id) == content
        answer = web.get(store.varnish, "/" + file_id)
        assert (answer.status, answer.body) == (200, content)
    until(lambda: used(store) < before - 19 * 60_000 * 9 // 10, "the room comes back")
    assert sorted(listed(store)) == sorted(old | young), "each once"
    assert store.picstore("fsck", "g01", "--json").returncode == 0
    found = json.loads(store.picstore("fsck", "g01", "--json").stdout)
    assert (found["clean"], found["pictures"], found["cold"]) == (True, 25, 20)


def test_the_age_is_that_of_the_option(store):
    file_id = put(store, b"just now")
    done = report(store.picstore("tier", "--older-than", "1h", "--json"))
    assert (done["moved"], done["young"]) == (0, 1)
    assert key_of(file_id) not in store.double.objects
    assert store.picstore("tier", check=False).returncode == 2
    assert store.picstore("tier", "--group", "g02", "--older-than", "1h", check=False).returncode == 2
    assert store.picstore("move", "--group", "g01", "--to", "rados", check=False).returncode == 2


def test_every_way_of_reading_knows_them(store):
    picture = pictures.drawn(640, 480, seed=7)
    file_id = web.stored(web.upload(store.varnish, store.token(), picture))
    with storage(store) as client:
        client.set_metadata(file_id, b"a\x02b")
        slave = client.upload_slave(file_id, "_small", b"a slave", "jpg")
    move(store, "s3")
    until(lambda: key_of(file_id) in store.double.objects, "it is there")
    with storage(store) as client:
        assert client.download(file_id, 100, 50) == picture[100:150]
        assert client.info(file_id)[0] == len(picture)
        assert client.metadata(file_id) == b"a\x02b"
        assert client.download(slave) == b"a slave"
    for port in (store.varnish, store.lighttpd, store.http["g01"]):
        answer = web.get(port, "/" + file_id, Range="bytes=100-199")
        assert (answer.status, answer.body) == (206, picture[100:200]), port
        assert web.get(port, "/" + file_id).body == picture
        assert web.head(port, "/" + file_id).status == 200
    cut = store.picstore("cut", "64x48", file_id).stdout.split("\t")[0]
    store.picstore("export", str(store.scratch / "export"))
    assert (store.scratch / "export/pictures" / file_id).read_bytes() == picture
    store.picstore("rm", file_id)
    for one in (file_id, cut):
        assert key_of(one) not in store.double.objects
        for port in (store.varnish, store.lighttpd, store.http["g01"]):
            assert web.get(port, "/" + one).status == 410, port
    assert slave not in listed(store)


# -- backups

def test_a_backup_knows_what_is_cold(double, installations, tmp_path_factory):
    """`test_backup` has the rest."""
    folder = tmp_path_factory.mktemp("backup")
    for path in (folder, *list(folder.parents)[:2]):
        path.chmod(0o755)
    if user_options():
        shutil.chown(folder, user_options()[1])
    source = installations(settings(double, s3_prefix="backed-up"))
    give_secrets(source)
    source.start("--no-self-test")
    kept = {put(source, content): content for content in some(30, seed=6)}
    backup(source, folder)
    move(source, "s3")
    until(lambda: status(source)["state"] == "settled", "it is there")
    kept |= {put(source, content): content for content in some(5, seed=7)}
    until(lambda: sum(key.startswith("backed-up/") for key in double.objects) == 35, "they follow")
    gone = list(kept)[::7]
    for file_id in gone:
        delete(source, file_id)
        kept.pop(file_id)
    backup(source, folder)
    backup(source, folder)
    for content in kept.values():
        assert not any(content in volume.read_bytes() for volume in folder.rglob("*.vol")), "no bytes"
    copy = fsck_of_the_copy(source, folder)
    assert copy.returncode == 0, copy.stdout
    assert f"{len(kept)} of them with their bytes in the cold store" in copy.stdout
    source.stop()
    shutil.rmtree(source.home / "data")

    one = installations()
    one.conf.parent.mkdir(parents=True)
    one.conf.write_text((folder / "etc/picstore.conf").read_text().replace(str(source.home), str(one.home)))
    if user_options():
        for path in (one.home, one.conf.parent, one.conf):
            shutil.chown(path, user_options()[1])
    run(one, "restore", folder)
    for name in ("s3_access_key", "s3_secret_key"):
        shutil.copy2(source.home / "secret" / name, one.home / "secret")
        if user_options():
            shutil.chown(one.home / "secret" / name, user_options()[1])
    one.start("--no-self-test")
    for file_id, content in kept.items():
        assert read(one, file_id) == content
    for file_id in gone:
        assert web.get(one.lighttpd, "/" + file_id).status == 410
    assert move(one, "volume")["moved"] == len(kept)
    for file_id, content in kept.items():
        assert read(one, file_id) == content
        delete(one, file_id)
    double.objects = {key: value for key, value in double.objects.items() if not key.startswith("backed-up/")}


# -- and without the disks

def test_a_group_that_has_moved_is_one_in_a_bucket(double, installations, tmp_path):
    """Store path M01 too, which a bucket does not have."""
    second = tmp_path / "m01"
    second.mkdir()
    for path in (second, *list(second.parents)[:3]):
        path.chmod(0o755)
    if user_options():
        shutil.chown(second, user_options()[1])
    one = installations(settings(double, s3_prefix="leaving", id=7, store_path=f"../data/g01, {second}"))
    give_secrets(one)
    one.start("--no-self-test")
    kept = {put(one, content): content for content in some(20, seed=8)}
    assert {file_id.split("/")[1] for file_id in kept} == {"M00", "M01"}
    gone = list(kept)[:3]
    move(one, "s3")
    with storage(one) as client:
        for file_id in gone:
            client.delete(file_id)
            kept.pop(file_id)
    one.configure({("storage g01", "mode"): "draining"})
    one.control(PART, "-h")
    until(lambda: "draining" in one.log(PART), "it takes no more uploads")
    done = move(one, "s3")
    assert (done["state"], done["failed"], done["looked"]) == ("settled", 0, len(kept))
    assert {key for key in double.objects if key.startswith("leaving/")} == {"leaving/" + file_id for file_id in kept}
    one.stop()
    one.configure({("storage g01", key): value for key, value in {
        "engine": "s3", "cold_engine": "none", "store_path": "", "mode": "read-write",
        "journal": "../data/journal"}.items()})
    shutil.rmtree(one.home / "data/g01")
    shutil.rmtree(second)
    one.launch_as_configured()
    for file_id, content in kept.items():
        assert read(one, file_id) == content
        for port in (one.varnish, one.http["g01"]):
            answer = web.get(port, "/" + file_id)
            assert (answer.status, answer.body) == (200, content)
    for file_id in gone:
        assert web.get(one.lighttpd, "/" + file_id).status == 404, "it keeps no tombstones"
    assert sorted(listed(one)) == sorted(kept)
    new = put(one, b"goes there at once")
    assert double.objects["leaving/" + new] == b"goes there at once"
    for file_id in (*kept, new):
        delete(one, file_id)
    assert not any(key.startswith("leaving/") for key in double.objects)


# -- everything, while everything goes on

class Traffic:
    """Uploads, reads and deletes without a pause, and what was acknowledged of them."""

    def __init__(self, one, first):
        self.one, self.kept, self.deleted, self.wrong = one, dict(first), set(), []
        self.uncertain, self.over, self.lock = set(), threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(work, seed))
                        for seed, work in enumerate((self.upload, self.read, self.delete, self.read))]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def run(self, work, seed):
        dice = random.Random(seed)
        while not self.over.is_set():
            try:
                with storage(self.one) as client:
                    while not self.over.is_set():
                        work(client, dice)
            except (OSError, fdfs.Closed, fdfs.Failed):
                time.sleep(0.01)  # it is being started

    def upload(self, client, dice):
        content = dice.randbytes(dice.randrange(1, 30_000))
        file_id = client.upload(content)
        with self.lock:
            self.kept[file_id] = content
        self.over.wait(0.01)

    def any(self, dice):
        with self.lock:
            return dice.choice(list(self.kept.items())) if self.kept else (None, None)

    def read(self, client, dice):
        file_id, content = self.any(dice)
        if file_id is None:
            return
        try:
            got = client.download(file_id)
        except fdfs.Failed as failure:
            with self.lock:
                if failure.status == fdfs.ENOENT and file_id in self.kept:
                    self.wrong.append((file_id, "is missing"))
            if failure.status != fdfs.ENOENT:
                raise
            return
        if got != content:
            self.wrong.append((file_id, "has other bytes"))

    def delete(self, client, dice):
        file_id, _ = self.any(dice)
        if file_id is None or len(self.kept) < 20:
            self.over.wait(0.01)
            return
        with self.lock:
            self.kept.pop(file_id)
            self.uncertain.add(file_id)
        client.delete(file_id)
        with self.lock:
            self.uncertain.discard(file_id)
            self.deleted.add(file_id)
        self.over.wait(0.02)

    def check(self):
        """Every picture that was acknowledged is right, each that was deleted is gone."""
        assert not self.wrong
        for file_id, content in self.kept.items():
            assert read(self.one, file_id) == content
        for file_id in self.deleted:
            with storage(self.one) as client, pytest.raises(fdfs.Failed) as failure:
                client.download(file_id)
            assert failure.value.status == fdfs.ENOENT, file_id
            assert key_of(file_id) not in self.one.double.objects, "no copy is left"
        assert set(self.kept) <= set(listed(self.one))
        assert not self.deleted & set(listed(self.one))


def finish_deletes(one, traffic):
    """Who had no answer asks once more."""
    for file_id in list(traffic.uncertain):
        try:
            delete(one, file_id)
        except fdfs.Failed as failure:
            assert failure.status == fdfs.ENOENT
        traffic.uncertain.discard(file_id)
        traffic.deleted.add(file_id)


def test_a_group_moves_and_comes_back_while_everything_goes_on(store):
    first = {put(store, content): content for content in some(150)}
    with Traffic(store, first) as traffic:
        done = move(store, "s3")
        assert (done["state"], done["failed"]) == ("settled", 0)
        seen = len(traffic.kept) + len(traffic.deleted)
        until(lambda: len(traffic.kept) + len(traffic.deleted) > seen + 20, "uploads go on")
        done = move(store, "volume")
        assert (done["state"], done["failed"]) == ("done", 0)
        move(store, "s3")
        seen = len(traffic.deleted)
        until(lambda: len(traffic.deleted) > seen + 5, "deletes go on")
    finish_deletes(store, traffic)
    assert len(traffic.deleted) > 10
    traffic.check()
    until(lambda: set(store.double.objects) == {key_of(file_id) for file_id in traffic.kept},
          "what came in meanwhile follows")
    traffic.check()
    assert move(store, "volume")["failed"] == 0
    assert not store.double.objects
    traffic.check()


def test_it_is_killed_on_the_way_and_goes_on(store):
    first = {put(store, content): content for content in some(120, size=100_000)}
    with Traffic(store, first) as traffic:
        for to in ("s3", "volume"):
            move(store, to, "--rate", "4", "--no-wait")
            for part in (10, 40, 70):
                until(lambda part=part: status(store)["moved"] >= part, "it is on its way")
                store.kill_at_once(PART)
                until(lambda: status(store)["state"] in ("working", "settled", "done"), "it is back")
            assert len(store.double.objects) > 0
            done = move(store, to)
            assert done["failed"] == 0, done
    finish_deletes(store, traffic)
    traffic.check()


def test_the_command_is_killed_and_the_storage_goes_on(store):
    ids = {put(store, content): content for content in some(40)}
    command = subprocess.Popen(
        [PICSTORE, "move", "--config", store.conf, "--group", "g01", "--to", "s3", "--rate", "1"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: len(store.double.objects) >= 3, "it has begun")
    command.kill()
    command.wait()
    until(lambda: len(store.double.objects) == len(ids), "it goes on")
    assert all(read(store, file_id) == content for file_id, content in ids.items())


# -- a service that fails

@pytest.mark.parametrize("method, what", [("PUT", "slow"), ("PUT", "reset"), ("PUT", "unknown"),
                                          ("GET", "short"), ("GET", "wrong"), ("ANY", "broken")])
def test_the_service_fails_in_the_middle(store, method, what):
    ids = {put(store, content): content for content in some(30, seed=3)}
    move(store, "s3", "--rate", "1", "--no-wait")
    until(lambda: len(store.double.objects) >= 2, "it has begun")
    store.double.fail(method, what, times=6 if method == "ANY" else 12)
    done = move(store, "s3", check=False)
    store.double.fail("ANY", "none", times=0)
    if done["failed"]:  # read back wrong, again and again: it stayed where it was
        done = move(store, "s3")
    assert (done["state"], done["failed"]) == ("settled", 0)
    assert all(read(store, file_id) == content for file_id, content in ids.items())
    assert set(store.double.objects) == {key_of(file_id) for file_id in ids}


def test_the_service_is_away_for_a_while(store):
    ids = {put(store, content): content for content in some(20, seed=4)}
    store.double.fail("ANY", "slow", times=10**6)
    move(store, "s3", "--no-wait")
    until(lambda: status(store)["state"] == "waiting", "it waits")
    assert "503" in status(store)["trouble"] or "left alone" in status(store)["trouble"], status(store)
    put(store, b"uploads do not care")
    assert all(read(store, file_id) == content for file_id, content in ids.items())
    store.double.fail("ANY", "none", times=0)
    assert move(store, "s3")["state"] == "settled"
    # Now it is away from those that lie there.
    store.double.fail("ANY", "slow", times=10**6)
    file_id = next(iter(ids))
    with storage(store) as client, pytest.raises(fdfs.Failed) as failure:
        client.download(file_id)
    assert failure.value.status not in (fdfs.ENOENT, 0)
    assert web.get(store.lighttpd, "/" + file_id).status == 503
    with storage(store) as client:
        assert client.info(file_id)[0] == len(ids[file_id]), "what it is, is known here"
        with pytest.raises(fdfs.Failed):
            client.delete(file_id)
    store.double.fail("ANY", "none", times=0)
    other = list(ids)[1]
    until(lambda: reads(store, other) == ids[other], "it is asked again")
    with storage(store) as client, pytest.raises(fdfs.Failed) as failure:
        client.delete(file_id)
    assert failure.value.status == fdfs.ENOENT, "it was deleted then; now nothing is left of it"
    assert key_of(file_id) not in store.double.objects


def test_a_move_is_stopped(store):
    for content in some(30, seed=5):
        put(store, content)
    move(store, "s3", "--rate", "1", "--no-wait")
    until(lambda: len(store.double.objects) >= 2, "it has begun")
    done = report(store.picstore("move", "--group", "g01", "--stop", "--json"))
    assert done["state"] == "idle"
    until(lambda: status(store)["state"] == "idle", "it rests")
    assert 2 <= len(store.double.objects) < 30

"""picstore backup and restore: everything again under the same ids, what was deleted stays so."""
import json
import os
import random
import shutil
import subprocess
import threading

import fdfs
import package
import pictures
import pytest
import web
from installation import PICSTORE, as_its_user, user_options
from photos import EVERY_STATE, Photos
from service import Picstore
from wait import until

SETTINGS = {("storage g01", "volume_size"): "4M", ("storage g01", "max_file_size"): "3M",
            ("storage g01", "preallocate"): "1M", ("storage g01", "punch_delay"): "0",
            ("upload", "metadata"): "127.0.0.1:7004"}


@pytest.fixture
def source(installations):
    return installations(SETTINGS).start("--no-self-test")


@pytest.fixture
def folder(tmp_path):
    """A folder that the parts' user may write to."""
    made = tmp_path / "backup"
    made.mkdir()
    for path in (made, *list(made.parents)[:3]):
        path.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(made, user_options()[1])
    return made


def run(one, command, *words, status=0):
    done = subprocess.run([*as_its_user(), PICSTORE, command, "-c", one.conf, *words], check=False,
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def backup(one, folder):
    return json.loads(run(one, "backup", "--json", folder))


def restored(source, folder, installations):
    """Another home, made of nothing but the backup."""
    one = installations()
    one.conf.parent.mkdir(parents=True)
    text = (folder / "etc/picstore.conf").read_text()
    one.conf.write_text(text.replace(str(source.home), str(one.home)))
    if os.geteuid() == 0:
        for path in (one.home, one.conf.parent, one.conf):
            shutil.chown(path, user_options()[1])
    run(one, "restore", folder)
    return one.start("--no-self-test")


def fsck_of_the_copy(one, folder):
    """A copy is as good as a store."""
    text = (folder / "etc/picstore.conf").read_text()
    for group in ("g01", "g02"):
        text = text.replace(f"../data/{group}", f"{folder}/storage/{group}/M00")
    conf = one.scratch / "copy.conf"
    conf.write_text(text)
    return subprocess.run([PICSTORE, "fsck", "-c", conf], check=False, capture_output=True, text=True,
                          timeout=60)


def numbered(number, size=20_000):
    return pictures.with_comment(pictures.noisy(size, seed=90), number)


def test_everything_is_served_again_under_the_same_ids(source, folder, installations):
    key, kept, gone = source.token(), {}, []
    with fdfs.Client(source.storage["g01"]) as storage:
        for number in range(300):
            kept[storage.upload(numbered(number))] = numbered(number)
    for number in range(1000, 1020):
        kept[web.stored(web.upload(source.varnish, key, numbered(number)))] = numbered(number)
    assert len(source.volumes("g01")) > 1
    first = list(kept)
    gone += [first[3], first[7], first[-1]]
    with package.Caller(source.cs_del_svr[0]) as caller:
        assert caller.delete_now(gone) == package.OK
    all_of_it = backup(source, folder)["bytes"]
    assert backup(source, folder)["bytes"] < all_of_it / 10, "what is there is not copied again"
    # Between two backups: more of everything, in old volumes too.
    with fdfs.Client(source.storage["g01"]) as storage:
        master = storage.upload(numbered(2000))
        slave = storage.upload_slave(master, "_s", b"slave", "jpg")
        appender = storage.upload_appender(b"first")
        storage.append(appender, b"second")
        storage.set_metadata(master, b"a\x02b")
    kept |= {master: numbered(2000), slave: b"slave", appender: b"firstsecond"}
    with package.Caller(source.cs_del_svr[0]) as caller:
        assert caller.delete_now([first[1], first[290]]) == package.OK
    with package.Caller(source.del_svr[0]) as caller:
        assert caller.delete_later([first[11]]) == package.OK
    gone += [first[1], first[290]]
    again = backup(source, folder)
    assert again["deleted"] >= 2 and again["bytes"] < all_of_it / 10, again
    for file_id in gone:
        assert not any(kept[file_id] in volume.read_bytes() for volume in folder.rglob("*.vol"))
    source.stop()
    shutil.rmtree(source.home / "data")

    one = restored(source, folder, installations)
    for file_id, body in kept.items():
        answer = web.get(one.varnish, "/" + file_id)
        assert answer.status == (410 if file_id in gone else 200), file_id
        assert file_id in gone or answer.body == body
    with fdfs.Client(one.storage["g01"]) as storage:
        assert storage.metadata(master) == b"a\x02b" and storage.slaves(master) == [slave]
        storage.append(appender, b"third")
        new = storage.upload(numbered(3000))
        assert storage.download(new) == numbered(3000) and new not in kept
    assert web.upload(one.varnish, key, numbered(3001)).status == 200, "old keys are good"
    assert one.picstore("receipt", first[3]).returncode == 0
    client = Picstore("127.0.0.1", one.base + 81)
    urls = {row["url"] for row in Photos(client).page(states=EVERY_STATE)[1]}
    client.close()
    assert set(first[300:]) <= urls
    assert first[11] in (one.home / "log/delete.log").read_text(), "what is to be deleted will be"
    assert one.picstore("fsck").returncode == 0
    assert "already" in run(one, "restore", folder, status=1), "nothing is written over"


def test_a_backup_of_what_is_being_changed(source, folder, installations):
    """Whatever was answered before a backup began is in it; what came later may be."""
    rng, stop, lock = random.Random(7), threading.Event(), threading.Lock()
    kept, gone = {}, []

    def client(which):
        with fdfs.Client(source.storage["g01"]) as storage:
            number = which * 100_000
            while not stop.is_set():
                number += 1
                body = numbered(number, rng.choice((2_000, 20_000, 200_000)))
                file_id = storage.upload(body)
                with lock:
                    kept[file_id] = body
                    victim = rng.choice(list(kept)) if len(kept) > 20 and number % 4 == 0 else None
                    body = kept.pop(victim, None)
                if victim:
                    storage.delete(victim)
                    with lock:
                        gone.append(victim)
    threads = [threading.Thread(target=client, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(1, 5):
            until(lambda turn=turn: len(kept) > turn * 40, "more has come")
            with lock:
                was_kept, was_gone = dict(kept), list(gone)
            run(source, "backup", folder)
            checked = fsck_of_the_copy(source, folder)
            assert checked.returncode == 0, checked.stdout
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    source.stop()
    one = restored(source, folder, installations)
    deleted_meanwhile = set(gone) - set(was_gone)
    for file_id, body in was_kept.items():
        answer = web.get(one.lighttpd, "/" + file_id)
        assert answer.status == 200 and answer.body == body or file_id in deleted_meanwhile, file_id
    assert web.statuses(one.lighttpd, was_gone) == [410] * len(was_gone)
    assert one.picstore("fsck").returncode == 0


def test_damage_does_not_replace_a_good_copy(source, folder, installations):
    with fdfs.Client(source.storage["g01"]) as storage:
        ids = [storage.upload(numbered(number)) for number in range(5)]
    run(source, "backup", folder)
    volume, = [v for v in source.volumes("g01") if numbered(2) in v.read_bytes()]
    at = volume.read_bytes().index(numbered(2))
    with open(volume, "r+b") as file:
        file.seek(at + 5000)
        file.write(b"rotten")
        file.seek(at - 60)
        file.write(b"header")
    with fdfs.Client(source.storage["g01"]) as storage:
        ids.append(storage.upload(numbered(5)))
    assert "damaged" in run(source, "backup", folder, status=1)
    source.stop()
    one = restored(source, folder, installations)
    assert [web.get(one.lighttpd, "/" + i).body for i in ids] == [numbered(n) for n in range(6)]

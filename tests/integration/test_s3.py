"""A group in a bucket: two storages, one of which may die, and a service that fails."""
import contextlib
import shutil
import subprocess
import threading

import pytest

import buckets
import fdfs
import pictures
import s3_double
import web
from installation import Installation
from wait import until

ENOTSUP = 95
PARTS = {1: "storage_server-s3a", 2: "storage_server-s3b"}


def settings(double, **more):
    """The storages s3a and s3b of the group pics, where uploads go."""
    found = {("upload", "group"): "pics", ("download", "local_read"): "no"}
    for number, name in ((1, "s3a"), (2, "s3b")):
        values = buckets.storage(double, number, group="pics", listen=f"127.0.0.1:{2 + number}",
                                 http_listen=f"127.0.0.1:{12 + number}", max_file_size="16M", **more)
        found |= {(f"storage {name}", key): value for key, value in values.items()}
    return found


@pytest.fixture(scope="module")
def double():
    with s3_double.S3Double() as one:
        yield one


@pytest.fixture(scope="module")
def made():
    installations = []

    def make(values, **more):
        one = Installation(values)
        installations.append(one)
        buckets.give_secrets(one, **more)
        one.start("--no-self-test")
        one.storage |= {1: one.base + 6, 2: one.base + 7}
        return one
    yield make
    for one in installations:
        one.remove()


@pytest.fixture(scope="module")
def bucket(double, made):
    one = made(settings(double))
    one.double = double
    return one


@pytest.fixture
def well(bucket):
    """The bucket, which answers again after the test."""
    yield bucket
    bucket.double.fail("ANY", "none", times=0)
    for number in PARTS:
        until(lambda n=number: works(bucket, n), f"storage {number} works again")
    until(lambda: known(bucket) == {1, 2}, "both take uploads")


def works(bucket, number):
    try:
        with fdfs.Client(bucket.storage[number]) as storage:
            storage.delete(storage.upload(b"again"))
        return True
    except fdfs.Failed:
        return False


def known(bucket):
    """The storages that the tracker sends uploads to."""
    with fdfs.Client(bucket.tracker) as tracker:
        try:
            ports = {tracker.store("pics")[1] for _ in range(4)}
        except fdfs.Failed:
            return set()
    return {number for number in PARTS if bucket.storage[number] in ports}


def key_of(file_id):
    return "some/prefix/" + file_id


def put(bucket, number, content=b"some bytes", ext="jpg"):
    with fdfs.Client(bucket.storage[number]) as storage:
        return storage.upload(content, ext)


def read(bucket, number, file_id):
    with fdfs.Client(bucket.storage[number]) as storage:
        return storage.download(file_id)


# -- the whole chain

def test_a_picture_is_uploaded_delivered_cut_and_deleted(bucket):
    picture = pictures.drawn(640, 480, seed=41)
    file_id = web.stored(web.upload(bucket.varnish, bucket.token(), picture))
    assert file_id.startswith("pics/M00/")
    assert bucket.double.objects[key_of(file_id)] == picture, "the object is the picture"
    for port in (bucket.varnish, bucket.lighttpd, bucket.base + 84, bucket.base + 85):
        answer = web.get(port, "/" + file_id)
        assert (answer.status, answer.body) == (200, picture), port
    part = web.get(bucket.varnish, "/" + file_id, Range="bytes=100-199")
    assert (part.status, part.body) == (206, picture[100:200])
    cut = bucket.picstore("cut", "64x48", file_id).stdout.split("\t")[0]
    assert web.get(bucket.varnish, "/" + cut).body == bucket.double.objects[key_of(cut)]
    bucket.picstore("rm", file_id)
    for one in (file_id, cut): # which goes with it
        assert key_of(one) not in bucket.double.objects
        for port in (bucket.varnish, bucket.lighttpd):
            assert web.get(port, "/" + one).status == 404


def test_the_doctor_the_list_and_the_status_know_it(bucket):
    bucket.picstore("doctor")
    file_id = put(bucket, 1, b"x" * 77)
    lines = bucket.picstore("ls", "pics").stdout.splitlines()
    assert [line.split("\t")[:2] for line in lines if file_id in line] == [[file_id, "77"]], "once"
    assert len(lines) == len(bucket.double.objects)
    status = bucket.status()[0]
    group = next(one for one in status["groups"] if one["group"] == "pics")
    assert {one["free_mib"] for one in group["storages"]} == {123 << 10}
    figures = [part["figures"]["counters"]["engine_well"] for part in status["parts"] if "storage_server" in part["part"]]
    assert figures == [1] * 4


# -- any storage has everything

def test_each_storage_serves_describes_and_deletes_what_the_other_took_in(bucket):
    for taker, other in ((1, 2), (2, 1)):
        file_id = put(bucket, taker, b"a few bytes")
        with fdfs.Client(bucket.storage[other]) as storage:
            assert storage.download(file_id) == b"a few bytes"
            assert storage.download(file_id, 2, 3) == b"few"
            assert storage.info(file_id)[0] == 11
            storage.delete(file_id)
            with pytest.raises(fdfs.Failed) as failure:
                storage.delete(file_id)
            assert failure.value.status == fdfs.ENOENT
        with pytest.raises(fdfs.Failed) as failure:
            read(bucket, taker, file_id)
        assert failure.value.status == fdfs.ENOENT


def test_one_dies_and_the_other_goes_on(bucket):
    ids = {put(bucket, number, pictures.drawn(seed=number)): number for number in PARTS}
    bucket.down(PARTS[1])
    until(lambda: known(bucket) == {2}, "the tracker knows")
    try:
        for file_id, number in ids.items():
            answer = web.get(bucket.varnish, "/" + file_id)
            assert (answer.status, answer.body) == (200, pictures.drawn(seed=number))
            bucket.picstore("rm", file_id)
            assert key_of(file_id) not in bucket.double.objects
        picture = pictures.drawn(seed=43)
        file_id = web.stored(web.upload(bucket.varnish, bucket.token(), picture))
    finally:
        bucket.up(PARTS[1])
    until(lambda: known(bucket) == {1, 2}, "both are there")
    assert read(bucket, 1, file_id) == picture


def test_pictures_alone_are_kept_there(bucket):
    file_id = put(bucket, 1)
    with fdfs.Client(bucket.storage[1]) as storage:
        for call in (lambda: storage.set_metadata(file_id, b"a\x02b"),
                     lambda: storage.upload_slave(file_id, "_small", b"slave", "jpg"),
                     lambda: storage.upload_appender(b"log")):
            with pytest.raises(fdfs.Failed) as failure:
                call()
            assert failure.value.status == ENOTSUP
        with pytest.raises(fdfs.Failed) as failure:
            storage.metadata(file_id)
        assert failure.value.status == fdfs.ENOENT, "it has none"
        assert storage.slaves(file_id) == []
        assert storage.download(file_id) == b"some bytes"


# -- a service that fails

def test_an_export_of_a_bucket_goes_into_volumes(bucket, installations, tmp_path):
    contents = {put(bucket, 1 + i % 2, b"picture %d" % i): b"picture %d" % i for i in range(4)}
    bucket.picstore("export", "--group", "pics", tmp_path / "export")
    other = installations({("storage g01", "group"): "pics"}).start("--no-self-test")
    other.picstore("import", "--from", "export", tmp_path / "export")
    with fdfs.Client(other.storage["g01"]) as storage:
        assert {file_id: storage.download(file_id) for file_id in contents} == contents


@pytest.mark.parametrize("what", ["reset", "unknown", "broken", "slow"])
def test_a_put_that_fails_once_or_may_have_been_done_is_done_once(well, what):
    before = len(well.double.objects)
    well.double.fail("PUT", what, times=1)
    file_id = put(well, 1, b"what " + what.encode())
    assert read(well, 2, file_id) == b"what " + what.encode()
    assert len(well.double.objects) == before + 1, "no orphan"


@pytest.mark.parametrize("what", ["wrong", "shorter", "short", "reset", "slow"])
def test_a_read_that_goes_wrong_once_is_read_again(well, what):
    picture = pictures.drawn(seed=51)
    file_id = put(well, 1, picture)
    well.double.fail("GET", what, times=1)
    assert read(well, 1, file_id) == picture


def test_wrong_bytes_never_leave_the_house(well):
    file_id = put(well, 1, pictures.drawn(seed=52))
    well.double.fail("GET", "wrong", times=1000)
    assert web.get(well.varnish, "/" + file_id).status == 502
    with pytest.raises(fdfs.Failed):
        read(well, 1, file_id)


def test_while_it_does_not_answer_requests_fail_at_once_and_others_are_untouched(well):
    file_id = put(well, 1, pictures.drawn(seed=53))
    cached, elsewhere = put(well, 1, pictures.drawn(seed=54)), None
    with fdfs.Client(well.storage["g01"]) as storage:
        elsewhere = storage.upload(pictures.drawn(seed=55))
    assert web.get(well.varnish, "/" + cached).status == 200
    well.double.fail("ANY", "slow", times=100_000)

    def refused():
        with pytest.raises(fdfs.Failed) as failure:
            read(well, 1, file_id)
        return failure.value.status
    for _ in range(6):
        assert refused() == 16, "EBUSY"
    asked = well.double.requests
    for _ in range(3):
        refused()
    # a probe may pass when its time has come
    assert well.double.requests - asked <= 1
    until(lambda: 1 not in known(well), "the tracker sends no uploads there")
    answer = web.get(well.varnish, "/" + file_id)
    assert answer.status == 503 and answer.headers["Retry-After"]
    assert web.get(well.varnish, "/" + cached).status == 200
    assert web.get(well.varnish, "/" + elsewhere).status == 200
    well.double.fail("ANY", "none", times=0)
    until(lambda: web.get(well.varnish, "/" + file_id).status == 200, "it comes back by itself")
    until(lambda: "the engine fails" in well.log(PARTS[1]), "the log says so")


def test_a_put_that_hangs_is_reported_as_unknown_and_is_not_lost_sight_of(well):
    well.double.fail("PUT", "secretly", times=2)
    with pytest.raises(fdfs.Failed) as failure:
        put(well, 1, b"is it there?")
    assert failure.value.status == 5, "EIO: it may or may not have been done"
    until(lambda: "command 11: unknown: " in well.log(PARTS[1]), "the log says so")
    orphans = {key for key, content in well.double.objects.items() if content == b"is it there?"}
    assert len(orphans) <= 1
    well.double.fail("ANY", "none", times=0)
    until(lambda: not orphans & set(well.double.objects), "nobody has its id: it is removed")
    until(lambda: figures(well, 1)["pending_puts"] >= 1, "and will be once more, in a minute")


def test_a_delete_of_unknown_outcome_is_repeated_until_it_is_done(well):
    file_id = put(well, 1, b"to be deleted")
    well.double.fail("DELETE", "broken", times=100_000)
    with fdfs.Client(well.storage[1]) as storage, pytest.raises(fdfs.Failed) as failure:
        storage.delete(file_id)
    assert failure.value.status == 5, "EIO"
    assert key_of(file_id) in well.double.objects
    until(lambda: figures(well, 1)["pending_deletes"] == 1, "it is pending")
    assert "pending_deletes" in well.picstore("status", "--json").stdout
    well.double.fail("ANY", "none", times=0)
    until(lambda: key_of(file_id) not in well.double.objects, "it is deleted")
    until(lambda: figures(well, 1)["pending_deletes"] == 0, "and no more pending")


def test_a_storage_that_dies_before_its_put_is_answered_leaves_no_orphan(well):
    well.double.fail("PUT", "secretly", times=1)
    with fdfs.Client(well.storage[1]) as storage:
        uploading = threading.Thread(target=lose_upload, args=(storage, b"nobody has my id"))
        uploading.start()
        until(lambda: b"nobody has my id" in well.double.objects.values(), "the service has it")
        well.kill(PARTS[1])
        uploading.join(60)
    well.double.fail("ANY", "none", times=0)
    until(lambda: b"nobody has my id" not in well.double.objects.values(), "it is removed")
    file_id = put(well, 1, b"answered")
    well.kill(PARTS[1])
    until(lambda: works(well, 1), "it works again")
    assert read(well, 1, file_id) == b"answered"


def lose_upload(storage, content):
    with contextlib.suppress(fdfs.Failed, fdfs.Closed, OSError):
        storage.upload(content)


def figures(bucket, number):
    name = PARTS[number].removeprefix("storage_server-")
    return next(part["figures"]["counters"] for part in bucket.status()[0]["parts"]
                if name in part["part"])


def test_a_full_bucket_takes_no_uploads_and_the_rest_goes_on(well):
    file_id = put(well, 1, b"before")
    well.double.fail("PUT", "quota", times=100_000)
    with pytest.raises(fdfs.Failed) as failure:
        put(well, 1)
    assert failure.value.status == fdfs.ENOSPC
    web.refused(web.upload(well.varnish, well.token(), pictures.drawn(seed=56)), 507, "store_full")
    assert read(well, 1, file_id) == b"before"
    with fdfs.Client(well.storage[2]) as storage:
        storage.delete(file_id)


def test_a_missing_bucket_is_no_missing_picture(well):
    file_id = put(well, 1, pictures.drawn(seed=57))
    well.double.fail("GET", "nobucket", times=1000)
    with pytest.raises(fdfs.Failed) as failure:
        read(well, 1, file_id)
    assert failure.value.status != fdfs.ENOENT
    assert web.get(well.lighttpd, "/" + file_id).status not in (404, 410)


# -- secrets and settings

def test_a_wrong_secret_is_refused_and_no_secret_is_logged(double, made):
    one = made(settings(double), secret="quite/another-secret")
    with pytest.raises(fdfs.Failed) as failure:
        put(one, 1)
    assert failure.value.status == 1, "EPERM"
    until(lambda: "SignatureDoesNotMatch" in one.log(PARTS[1]), "the log says why")
    log = one.log(PARTS[1])
    for secret in ("quite/another-secret", s3_double.SECRET, "Signature="):
        assert secret not in log


def test_only_a_certificate_that_is_trusted_is_talked_to(made, tmp_path):
    pem = tmp_path / "s3.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-subj", "/CN=s3", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
                    "-keyout", pem, "-out", tmp_path / "ca.pem"], check=True, capture_output=True)
    pem.write_text(pem.read_text() + (tmp_path / "ca.pem").read_text())
    with s3_double.S3Double(certificate=pem) as secure:
        one = made(settings(secure))
        with pytest.raises(fdfs.Failed) as failure:
            put(one, 1)
        assert failure.value.status == 107, "ENOTCONN: nothing was sent"
        assert secure.requests == 0
        trusted = one.conf.parent / "ca.pem"
        shutil.copy(tmp_path / "ca.pem", trusted)
        trusted.chmod(0o644)
        one.stop()
        one.configure({("storage s3a", "s3_ca"): "ca.pem"})
        one.launch_as_configured()
        assert read(one, 1, put(one, 1, b"over TLS")) == b"over TLS"


def test_an_open_secret_is_refused(double, made):
    one = made(settings(double))
    one.down(PARTS[1])
    (one.home / "secret/s3_secret_key").chmod(0o644)
    done = subprocess.run([one.program.parents[1] / "storage_server/storage_server", "-c", one.conf, "-i", "s3a"], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "s3_secret_key" in done.stderr and s3_double.SECRET not in done.stderr

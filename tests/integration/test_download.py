"""GET and HEAD through the real chain: miss, hit and straight at lighttpd say the same."""
import re
import time
from email.utils import parsedate_to_datetime

import pytest

import fdfs
import pictures
import web
from installation import Installation
from wait import until

BOTH_SIDES = 16 * 1024  # below: the bytes go through FastCGI; above: lighttpd sends a slice


@pytest.fixture(scope="module", params=["lighttpd", "storage"])
def stack(request, shared):
    """Both ways that Varnish may fetch."""
    if request.param == "lighttpd":
        yield shared
        return
    straight = Installation({("varnish", "fetch_from"): "storage",
                             ("storage g01", "http_listen"): "127.0.0.1:3"})
    straight.settings["storage g02", "http_listen"] = f"unix:{straight.scratch}/g02-http.sock"
    straight.scratch.chmod(0o777)
    try:
        yield straight.start("--no-self-test")
    finally:
        straight.remove()


@pytest.fixture
def session_key(stack):
    return stack.token()


@pytest.fixture(scope="module", params=["small", "large"])
def picture(request):
    return pictures.drawn(seed=50) if request.param == "small" else pictures.noisy(200_000, seed=50)


def fresh(stack, key, picture, number):
    """The picture with another comment, so that nobody has asked for it."""
    picture = pictures.with_comment(picture, number)
    return web.stored(web.upload(stack.varnish, key, picture)), picture


def ways(stack, key, picture, number):
    """(name, port, id, bytes) of a miss, a hit, and straight at the gateway."""
    file_id, content = fresh(stack, key, picture, number)
    yield "miss", stack.varnish, file_id, content
    assert web.get(stack.varnish, "/" + file_id).headers["X-Cache"] in ("MISS", "HIT")
    yield "hit", stack.varnish, file_id, content
    yield "gateway", stack.lighttpd, file_id, content


def test_the_whole_picture(stack, session_key, picture):
    for way, port, file_id, content in ways(stack, session_key, picture, 1):
        answer = web.get(port, "/" + file_id)
        assert answer.status == 200 and answer.body == content, way
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert answer.headers["Content-Length"] == str(len(content))
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["ETag"].startswith('"')
        when = parsedate_to_datetime(answer.headers["Last-Modified"]).timestamp()
        assert abs(when - time.time()) < 3600
        if way != "gateway":
            assert answer.headers["X-Cache"] == ("HIT" if way == "hit" else "MISS")
        assert answer.headers["xkey"] == file_id


def test_head(stack, session_key, picture):
    for way, port, file_id, content in ways(stack, session_key, picture, 2):
        answer = web.head(port, "/" + file_id)
        assert answer.status == 200 and answer.body == b"", way
        assert answer.headers["Content-Length"] == str(len(content)), way


def test_not_modified(stack, session_key, picture):
    for way, port, file_id, content in ways(stack, session_key, picture, 3):
        seen = web.head(stack.lighttpd, "/" + file_id).headers
        for header, value in (("If_None_Match", seen["ETag"]), ("If_None_Match", "W/" + seen["ETag"]),
                              ("If_None_Match", '"other", ' + seen["ETag"]), ("If_None_Match", "*"),
                              ("If_Modified_Since", seen["Last-Modified"])):
            answer = web.get(port, "/" + file_id, **{header: value})
            assert answer.status == 304 and answer.body == b"", (way, header, value, answer)
        assert web.get(port, "/" + file_id, If_None_Match='"other"').body == content, way


RANGES = [
    ("bytes=0-9", 206, lambda c: c[:10]),
    ("bytes=100-", 206, lambda c: c[100:]),
    ("bytes=-5", 206, lambda c: c[-5:]),
    ("bytes=10-99999999", 206, lambda c: c[10:]),
    ("bytes=99999999-", 416, None),
    ("bytes=5-2", 200, lambda c: c),
    ("lines=1-2", 200, lambda c: c),
]


def test_ranges(stack, session_key, picture):
    for number, (text, status, part) in enumerate(RANGES):
        for way, port, file_id, content in ways(stack, session_key, picture, 10 + number):
            answer = web.get(port, "/" + file_id, Range=text)
            assert answer.status == status, (way, text, answer)
            if part:
                assert answer.body == part(content), (way, text)
            if status == 206:
                span = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.headers["Content-Range"])
                start, end, size = map(int, span.groups())
                assert content[start:end + 1] == answer.body and size == len(content), (way, text)
            if status == 416:
                assert answer.headers["Content-Range"] == f"bytes */{len(content)}", (way, text)


def test_a_range_on_a_miss_brings_the_whole_picture_into_the_cache(stack, session_key, picture):
    file_id, content = fresh(stack, session_key, picture, 30)
    assert web.get(stack.varnish, "/" + file_id, Range="bytes=5-9").body == content[5:10]
    answer = web.get(stack.varnish, "/" + file_id)
    assert answer.headers["X-Cache"] == "HIT" and answer.body == content


def test_all_spellings_share_one_entry(stack, session_key, picture):
    file_id, content = fresh(stack, session_key, picture, 31)
    assert web.get(stack.varnish, "/" + file_id).headers["X-Cache"] == "MISS"
    for path in ("/" + file_id, "/download.fcgi/" + file_id, "/" + file_id + "?utm_source=x",
                 "/download.fcgi/" + file_id + "?a=1&b=2"):
        answer = web.get(stack.varnish, path, Cookie="a=b")
        assert answer.headers["X-Cache"] == "HIT" and answer.body == content, path
    assert web.purge(stack.varnish, "/download.fcgi/" + file_id).json()["purged"] == 1
    assert web.get(stack.varnish, "/" + file_id).headers["X-Cache"] == "MISS"


def test_a_name_for_the_download(stack, session_key, picture):
    for way, port, file_id, _ in ways(stack, session_key, picture, 32):
        answer = web.get(port, f"/{file_id}?name=cat%20(1).jpg")
        assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''cat%20%281%29.jpg", way
        assert web.get(port, "/" + file_id)\
            .headers["Content-Disposition"] is None, way
        assert web.get(port, f"/{file_id}?name=a%0d%0ab").headers["Content-Disposition"] is None, way


def test_what_was_never_there(stack, session_key):
    file_id, _ = fresh(stack, session_key, pictures.drawn(), 33)
    other = file_id[:15] + ("A" if file_id[15] != "A" else "B") + file_id[16:]
    for port in (stack.varnish, stack.lighttpd):
        web.refused(web.get(port, "/" + other), 404, "not_found")
    assert web.get(stack.varnish, "/" + other).headers["X-Cache"] == "MISS"


SAMPLE_ID = "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"


@pytest.mark.parametrize("path", [
    "/", "/x", "/g01", "/g01/M00/00/00/", "/favicon.ico", "/" + SAMPLE_ID[:-1].lower(),
    "//" + SAMPLE_ID, "/g01//M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg",
    "/g01/M00/00/../00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg",
    "/g01/M00/00/0a/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg",
    "/g%301/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg",
    "/g01%2FM00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg",
    "/" + SAMPLE_ID + "/", "/" + SAMPLE_ID + "%00", "/" + SAMPLE_ID[:-4] + "%6apg"])
def test_what_is_no_id(stack, path):
    web.refused(web.get(stack.varnish, path), 400, "bad_id")


def test_what_is_no_id_at_the_gateway(stack):
    """lighttpd and download.fcgi refuse what Varnish would."""
    for path in ("/g01/M00/00/0a/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg", "/download.fcgi/x",
                 "/g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg/", "/x", "/favicon.ico",
                 "/g01/m00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg", "/upload.cgi/x"):
        web.refused(web.get(stack.lighttpd, path), 400, "bad_id")
    assert web.get(stack.lighttpd, "/").status == 404  # what Varnish asks lighttpd for


def test_what_was_deleted(stack, session_key, picture):
    file_id, _ = fresh(stack, session_key, picture, 34)
    assert web.get(stack.varnish, "/" + file_id).status == 200
    stack.picstore("rm", file_id)
    for port in (stack.varnish, stack.varnish, stack.lighttpd):
        web.refused(web.get(port, "/" + file_id), 410, "gone")
        web.refused(web.get(port, "/download.fcgi/" + file_id), 410, "gone")


def test_a_deletion_by_a_fastdfs_client_and_a_purge(stack, session_key):
    file_id, _ = fresh(stack, session_key, pictures.drawn(), 35)
    assert web.get(stack.varnish, "/" + file_id).status == 200
    with fdfs.Client(stack.storage[file_id[:3]]) as storage:
        storage.delete(file_id)
    assert web.purge(stack.varnish, "/" + file_id).status == 200
    assert web.get(stack.varnish, "/" + file_id).status == 410


def test_purges_from_elsewhere_are_refused(stack, session_key):
    """127.0.0.2 is an address that the acl does not have."""
    file_id, content = fresh(stack, session_key, pictures.drawn(), 36)
    web.get(stack.varnish, "/" + file_id)
    web.refused(web.purge(stack.varnish, "/" + file_id, source=("127.0.0.2", 0)), 403, "not_allowed")
    answer = web.request(stack.varnish, "GET", "/" + file_id, source=("127.0.0.2", 0))
    assert answer.headers["X-Cache"] == "HIT" and answer.body == content
    assert answer.headers["xkey"] is None


def test_a_purge_by_key(stack, session_key):
    ids = [fresh(stack, session_key, pictures.drawn(), 37 + i)[0] for i in range(2)]
    for file_id in ids:
        web.get(stack.varnish, "/" + file_id)
    answer = web.purge(stack.varnish, "/", headers={"xkey-purge": " ".join(ids)})
    assert answer.json() == {"result": "success", "purged": 2}
    for file_id in ids:
        assert web.get(stack.varnish, "/" + file_id).headers["X-Cache"] == "MISS"


def test_bytes_that_do_not_match_are_never_served(own):
    """A flipped byte in a volume, for pictures of both ways to send them."""
    key = own.token()
    for number, picture in enumerate((pictures.drawn(seed=60), pictures.noisy(100_000, seed=60))):
        file_id, content = fresh(own, key, picture, number)
        start = content[len(content) // 2:][:64]
        volume = next(v for v in own.volumes(file_id[:3]) if start in v.read_bytes())
        at = volume.read_bytes().index(start) + 7
        with open(volume, "r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1]))
        for port in (own.lighttpd, own.varnish, own.varnish):
            answer = web.get(port, "/" + file_id)
            web.refused(answer, 502, "corrupt")
        until(lambda: any("ALARM" in line and file_id in line
                          for line in own.log("download.fcgi").splitlines()), "an alarm")
        with fdfs.Client(own.storage[file_id[:3]]) as storage:
            with pytest.raises((fdfs.Failed, fdfs.Closed)):
                storage.download(file_id)
        fsck = own.picstore("fsck", check=False)
        assert fsck.returncode == 1 and file_id.partition("/")[2] in fsck.stdout
        with open(volume, "r+b") as file:
            file.seek(at)
            file.write(bytes([byte]))
        assert web.get(own.varnish, "/" + file_id).body == content

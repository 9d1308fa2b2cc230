"""POST /upload.cgi through the real chain: what is taken, and every way to be refused."""
import base64
import json
import socket
import struct
import subprocess
import time
import zlib

import pytest

import pictures
import web
from wait import until


def check(stack, answer, picture, name=None):
    file_id = web.stored(answer)
    found = answer.json()
    assert found["len"] == len(picture)
    if name is not None:
        assert found["file_name"] == name
    assert web.get(stack.varnish, "/" + file_id).body == picture
    return file_id


# -- as clients send it

def test_as_a_browser_sends_it(stack, session_key):
    picture = pictures.photo(1)
    check(stack, web.upload(stack.varnish, session_key, picture, name="2m.jpg"), picture, "2m.jpg")


def test_as_curl_sends_it(stack, session_key, tmp_path):
    picture = pictures.photo(2)
    path = tmp_path / "bild.jpg"
    path.write_bytes(picture)
    done = subprocess.run(
        ["curl", "-sS", "-F", f"session_key={session_key}", "-F", "type=jpg", "-F", f"file=@{path}",
         stack.url + "/upload.cgi"], capture_output=True, check=True)
    found = json.loads(done.stdout)
    assert (found["result"], found["file_name"], found["len"]) == ("success", "bild.jpg", len(picture))


def test_as_php_sends_it(stack, session_key):
    """PHP's curl: a boundary of dashes, the file first."""
    picture = pictures.drawn(seed=20)
    boundary = "------------------------d74496d66958873e"
    body = web.form([("file", picture, "/tmp/php3f.jpg", "image/jpeg"),
                     ("session_key", session_key), ("type", "jpg")], boundary)
    check(stack, web.post(stack.varnish, body, web.form_type(boundary)), picture)


def test_as_flash_sends_it(stack, session_key):
    """Flash: a field of its own in front, no picture type, a submit button behind."""
    picture = pictures.drawn(seed=21)
    boundary = "----------KM7cH2GI3cH2Ef1Ij5gL6GI3ei4ae0"
    body = web.form([("Filename", "avatar.jpg"), ("session_key", session_key), ("type", "jpg"),
                     ("file", picture, "avatar.jpg", "application/octet-stream"),
                     ("Upload", "Submit Query")], boundary)
    check(stack, web.post(stack.varnish, body, web.form_type(boundary)), picture, "avatar.jpg")


def test_with_a_boundary_in_quotes(stack, session_key):
    picture = pictures.drawn(seed=22)
    boundary = "gc0p4Jq0M2Yt08jU534c0p:, ?="
    body = web.form([("session_key", session_key), ("type", "jpg"),
                     ("file", picture, "a.jpg", "image/jpeg")], boundary)
    check(stack, web.post(stack.varnish, body, f'multipart/form-data; boundary="{boundary}"'), picture)


def test_with_a_file_name_in_utf_8(stack, session_key):
    picture = pictures.drawn(seed=23)
    name = "Übung \u732b.jpg"
    check(stack, web.upload(stack.varnish, session_key, picture, name=name), picture, name)


def test_without_a_type(stack, session_key):
    picture = pictures.drawn(seed=24)
    body = web.form([("session_key", session_key), ("file", picture, "a.jpg", "image/jpeg")])
    check(stack, web.post(stack.varnish, body, web.form_type()), picture)


def test_as_json(stack, session_key):
    picture = pictures.photo(0)
    body = json.dumps({"session_key": session_key, "type": "jpg",
                       "file": base64.b64encode(picture).decode()})
    check(stack, web.post(stack.varnish, body.encode(), "application/json"), picture)


def test_in_chunks(stack, session_key):
    picture = pictures.noisy(300_000)
    body = web.form([("session_key", session_key), ("type", "jpg"),
                     ("file", picture, "a.jpg", "image/jpeg")])
    chunks = [body[i:i + 7001] for i in range(0, len(body), 7001)]
    answer = web.request(stack.varnish, "POST", "/upload.cgi", iter(chunks),
                         {"Content-Type": web.form_type()})
    check(stack, answer, picture)


def test_in_small_pieces(stack, session_key):
    """Boundaries are split across reads."""
    picture = pictures.drawn(seed=25)
    body = web.form([("session_key", session_key), ("type", "jpg"),
                     ("file", picture, "a.jpg", "image/jpeg")])
    with web.connect(stack.varnish) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(f"POST /upload.cgi HTTP/1.1\r\nHost: x\r\nContent-Type: {web.form_type()}\r\n"
                       f"Content-Length: {len(body)}\r\n\r\n".encode())
        for i in range(0, len(body), 11):
            client.sendall(body[i:i + 11])
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ") and b'"result":"success"' in answer


@pytest.mark.parametrize("kind, word, media", [
    ("JPEG", "jpg", "image/jpeg"), ("JPEG", "jpeg", "image/jpeg"), ("PNG", "png", "image/png"),
    ("GIF", "gif", "image/gif"), ("WEBP", "webp", "image/webp")])
def test_kinds_of_pictures(stack, session_key, kind, word, media):
    picture = pictures.drawn(kind=kind, seed=26)
    file_id = check(stack, web.upload(stack.varnish, session_key, picture, word, "a." + word), picture)
    assert web.get(stack.varnish, "/" + file_id).headers["Content-Type"] == media


def test_every_photograph(stack, session_key):
    assert len(pictures.PHOTOS) >= 10
    for i in range(len(pictures.PHOTOS)):
        check(stack, web.upload(stack.varnish, session_key, pictures.photo(i)), pictures.photo(i))


def test_the_album_is_that_of_the_key(stack):
    key = stack.token("--uid", "10001", "--album", "3")
    answer = web.upload(stack.varnish, key, pictures.drawn(seed=27))
    web.stored(answer)
    assert answer.json()["albumid"] == 3


def test_a_key_of_the_old_form(stack):
    key = stack.token("--des", "--uid", "10001", "--album", "3")
    assert len(key) == 48
    answer = web.upload(stack.varnish, key, pictures.drawn(seed=28))
    web.stored(answer)
    assert answer.json()["albumid"] == 3


def test_groups_take_turns(stack, session_key):
    groups = {web.stored(web.upload(stack.varnish, session_key, pictures.drawn(seed=s)))[:3]
              for s in range(30, 34)}
    assert groups == {"g01", "g02"}


# -- refusals

def test_no_key(stack):
    body = web.form([("type", "jpg"), ("file", pictures.drawn(), "a.jpg", "image/jpeg")])
    web.refused(web.post(stack.varnish, body, web.form_type()), 401, "no_key")


@pytest.mark.parametrize("key", ["x", "0" * 48, "z" * 48, "a.b.c", "631068f6bbe0ace2"])
def test_a_bad_key(stack, key):
    web.refused(web.upload(stack.varnish, key, pictures.drawn()), 403, "bad_key")


def des_key(stack, age_s):
    """The old form, made by the openssl command as clients' own code makes it."""
    now = int(time.time()) - age_s
    fields = struct.pack("<HHH4sHHHH", 1, 1, 1, b"\x7f\0\0\1", now & 0xFFFF, 0, 0, 0)
    secret = (stack.home / "secret/des").read_bytes().rstrip()[:8].hex()
    done = subprocess.run(["openssl", "enc", "-des-ecb", "-K", secret, "-nopad", "-provider", "legacy",
                           "-provider", "default"], input=fields.ljust(24, b"\0"),
                          capture_output=True, check=True)
    return done.stdout.hex()


def test_a_key_that_others_made(stack):
    web.stored(web.upload(stack.varnish, des_key(stack, 60), pictures.drawn(seed=35)))


def test_an_expired_key(stack):
    web.refused(web.upload(stack.varnish, des_key(stack, 3700), pictures.drawn()), 403, "key_expired")


def test_a_key_of_a_clock_that_runs_ahead(stack):
    web.stored(web.upload(stack.varnish, des_key(stack, -60), pictures.drawn(seed=36)))
    web.refused(web.upload(stack.varnish, des_key(stack, -1000), pictures.drawn()), 403, "key_not_yet")


def test_keys_of_a_form_that_is_switched_off(installations):
    one = installations({("upload", "keys_des"): "no"}).start("--no-self-test")
    web.refused(web.upload(one.varnish, des_key(one, 1), pictures.drawn()), 403, "bad_key")
    web.stored(web.upload(one.varnish, one.token(), pictures.drawn()))


def test_no_file(stack, session_key):
    body = web.form([("session_key", session_key), ("type", "jpg")])
    web.refused(web.post(stack.varnish, body, web.form_type()), 400, "no_file")


def test_an_empty_file(stack, session_key):
    web.refused(web.upload(stack.varnish, session_key, b""), 400, "empty_file")


def test_too_large_a_picture(stack, session_key):
    """Just above 5 MiB: lighttpd lets it pass, upload.cgi does not."""
    picture = pictures.drawn() + bytes(5 * 1024 * 1024)
    web.refused(web.upload(stack.varnish, session_key, picture), 413, "too_large")


def test_far_too_large_a_request(stack, session_key):
    """lighttpd refuses it from its header, before a body is sent."""
    with web.connect(stack.varnish) as client:
        client.sendall(f"POST /upload.cgi HTTP/1.1\r\nHost: x\r\nContent-Type: {web.form_type()}\r\n"
                       "Content-Length: 500000000\r\n\r\n".encode())
        answer = client.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"error":"too_large"' in answer


@pytest.mark.parametrize("content", [b"hello, world" * 50, b"%PDF-1.4 " * 20, b"<svg></svg>" * 20,
                                     b"\0" * 1000, b"<html><script>" * 20])
def test_not_a_picture(stack, session_key, content):
    web.refused(web.upload(stack.varnish, session_key, content), 415, "not_a_picture")


def test_a_type_that_is_not_the_picture_s(stack, session_key):
    web.refused(web.upload(stack.varnish, session_key, pictures.drawn(kind="PNG"), "jpg"),
                415, "type_mismatch")


@pytest.mark.parametrize("form", ["--jwt", "--des"])
def test_over_the_limits_of_the_key(stack, form):
    key = stack.token(form, "--width", "100", "--height", "80")
    web.stored(web.upload(stack.varnish, key, pictures.drawn(100, 80, seed=37)))
    web.refused(web.upload(stack.varnish, key, pictures.drawn(101, 80)), 422, "too_wide")
    web.refused(web.upload(stack.varnish, key, pictures.drawn(100, 81)), 422, "too_high")


def png_header(width, height):
    def chunk(name, data):
        return (struct.pack(">I", len(data)) + name + data +
                struct.pack(">I", zlib.crc32(name + data)))
    rows = zlib.compress(bytes(1000))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def test_a_pixel_bomb(stack, session_key):
    web.refused(web.upload(stack.varnish, session_key, png_header(15000, 15000), "png"),
                422, "pixel_bomb")


def test_a_truncated_picture(stack, session_key):
    picture = pictures.photo(3)
    web.refused(web.upload(stack.varnish, session_key, picture[:len(picture) // 2]), 422, "truncated")


@pytest.mark.parametrize("body, kind", [
    (b"", "multipart/form-data; boundary=x"),
    (b"--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nabc", "multipart/form-data; boundary=x"),
    (b"a=b", "application/x-www-form-urlencoded"),
    (b"{", "application/json"),
    (b"[1]", "application/json"),
    (b"abc", "multipart/form-data")])
def test_a_request_that_is_no_form(stack, body, kind):
    answer = web.post(stack.varnish, body, kind)
    assert 400 <= answer.status < 500, answer
    assert answer.json()["result"] == "fail"


def test_other_methods(stack):
    assert web.get(stack.varnish, "/upload.cgi").status == 405
    assert web.request(stack.varnish, "PUT", "/upload.cgi", b"x").status == 405
    assert web.request(stack.varnish, "POST", "/g01/x", b"x").status == 405


def test_a_refusal_is_one_line_in_the_log(stack):
    lines = len(stack.log("upload.cgi").splitlines())
    web.refused(web.upload(stack.varnish, "nonsense", pictures.drawn()), 403, "bad_key")
    new = until(lambda: stack.log("upload.cgi").splitlines()[lines:], "a line in the log")
    assert len(new) == 1 and "127.0.0.1" in new[0], new

"""storage_server answers HTTP itself: as download.fcgi does, and whoever calls."""
import configparser
import contextlib
import http.client
import socket
import subprocess

import pytest

import fastcgi
import fdfs
import pictures
import web
from installation import BUILD, Installation
from wait import until

SMALL, LARGE, HUGE = 3_000, 200_000, 3_000_000  # one read; one read; sent from its volume
SAMPLE = "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"


@pytest.fixture(scope="module")
def installed():
    """installed(settings) starts one that lasts for the whole file."""
    made = []

    def make(settings):
        made.append(Installation(settings))
        return made[-1].start("--no-self-test")
    yield make
    for one in made:
        one.remove()


def put(stack, group, content, ext="jpg"):
    with fdfs.Client(stack.storage[group]) as storage:
        return storage.upload(content, ext)


def download_socket(stack):
    config = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    config.read(stack.conf)
    return config["download"]["listen"].removeprefix("unix:")


def over_http(port, method, target, headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read()


def compared(answer, method):
    """Status, headers in order, body; without what belongs to the way and not to the answer."""
    status, headers, body = answer
    drop = {"Date", "Connection"} | ({"Content-Length"} if status == 304 else set())
    return (status, sorted(one for one in headers if one[0] not in drop),
            b"" if method == "HEAD" else body)


@pytest.fixture(scope="module")
def files(shared):
    """name: id, of pictures of every kind that there is."""
    found = {name: put(shared, "g01", pictures.noisy(size, seed=size))
             for name, size in (("small", SMALL), ("large", LARGE))}
    found["huge"] = put(shared, "g01", bytes(range(256)) * (HUGE // 256), "bin")
    found["other group"] = put(shared, "g02", pictures.noisy(LARGE, seed=7))
    found["empty type"] = put(shared, "g01", b"<script>alert(1)</script>", "html")
    found["gone"] = put(shared, "g01", pictures.drawn(seed=3))
    with fdfs.Client(shared.storage["g01"]) as storage:
        storage.delete(found["gone"])
        found["slave"] = storage.upload_slave(found["large"], "_s", pictures.drawn(seed=4), "jpg")
        found["appender"] = storage.upload_appender(b"line\n" * 100)
    found["never there"] = found["small"][:20] + ("A" if found["small"][20] != "A" else "B") + found["small"][21:]
    found["unknown group"] = "g77" + found["small"][3:]
    found["unknown path"] = "g01/M07" + found["small"][7:]
    return found


def table(stack, files):
    """Every request that is compared: (method, target, headers)."""
    seen = {name: dict(over_http(stack.http["g01"], "HEAD", "/" + one, [])[1])
            for name, one in files.items()}
    for name, one in files.items():
        for method in ("GET", "HEAD", "DELETE", "OPTIONS", "BREW"):
            for target in ("/" + one, "/download.fcgi/" + one, f"/{one}?name=a%20(b).jpg&x=1",
                           f"/{one}?name=%0d%0aX:y", f"/{one}?x&name="):
                yield method, target, []
        etag, date = seen[name].get("ETag", '"none"'), seen[name].get("Last-Modified", "never")
        for headers in ([("If-None-Match", etag)], [("If-None-Match", "W/" + etag)],
                        [("If-None-Match", '"a", ' + etag)], [("If-None-Match", "*")],
                        [("If-None-Match", '"a"')], [("If-None-Match", '"a')],
                        [("If-Modified-Since", date)],
                        [("If-Modified-Since", "Thu, 01 Jan 1970 00:00:01 GMT")],
                        [("If-Modified-Since", "yesterday")],
                        [("If-None-Match", '"a"'), ("If-Modified-Since", date)],
                        *([("Range", text)] for text in (
                            "bytes=0-0", "bytes=100-", "bytes=-5", "bytes=10-99999999",
                            "bytes=99999999-", "bytes=5-2", "lines=1-2", "bytes=0-1,5-6",
                            "bytes=-0", "bytes=", "bytes=1000-1999")),
                        [("Range", "bytes=5-9"), ("If-Range", etag)],
                        [("Range", "bytes=5-9"), ("If-Range", date)],
                        [("Range", "bytes=5-9"), ("If-Range", '"a"')],
                        [("Range", "bytes=5-9"), ("If-None-Match", etag)]):
            for method in ("GET", "HEAD"):
                yield method, "/" + one, headers
    for target in ("/", "/x", "//" + SAMPLE, "/" + SAMPLE.lower(), "/" + SAMPLE + "/",
                   "/" + SAMPLE.replace("/", "%2F"), "/" + SAMPLE + "%00", "/%67" + SAMPLE[1:],
                   "/upload.cgi", "/download.fcgi", "/download.fcgi/", "/" + "a" * 5000, "*"):
        for method in ("GET", "HEAD", "PURGE"):
            yield method, target, []


def test_both_adapters_say_the_same(shared, files):
    """FastCGI and HTTP: every status, header and byte of a table of requests."""
    path, counted = download_socket(shared), 0
    for method, target, headers in table(shared, files):
        one = fastcgi.request(path, method, target, headers)
        for group in ("g01", "g02"):  # each has answers for the other's ids
            other = over_http(shared.http[group], method, target, headers)
            assert compared(one, method) == compared(other, method), (group, method, target, headers)
        counted += 1
    assert counted > 500


def test_a_304_tells_the_length_of_the_picture(shared, files):
    status, headers, body = over_http(shared.http["g01"], "GET", "/" + files["large"],
                                      [("If-None-Match", "*")])
    whole = over_http(shared.http["g01"], "HEAD", "/" + files["large"], [])
    assert (status, body) == (304, b"")
    assert dict(headers)["Content-Length"] == dict(whole[1])["Content-Length"]


def test_a_flipped_byte_is_never_served(own):
    for number, size in enumerate((SMALL, LARGE, HUGE)):
        content = pictures.noisy(min(size, LARGE), seed=90 + number)
        content += bytes(size - len(content)) if size > len(content) else b""
        file_id = put(own, "g01", content)
        start = content[len(content) // 4 if size < HUGE else 1000:][:64]
        volume = next(v for v in own.volumes("g01") if start in v.read_bytes())
        at = volume.read_bytes().index(start) + 7
        with open(volume, "r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1]))
        for group in ("g01", "g02"):
            for headers in ({}, {"Range": "bytes=0-0"}):
                web.refused(web.request(own.http[group], "GET", "/" + file_id, headers=headers),
                            502, "corrupt")
        until(lambda: any("ALARM" in line and file_id in line
                          for line in own.log("storage_server-g01").splitlines()), "an alarm")


# -- Varnish in front

@pytest.fixture(scope="module")
def straight(installed):
    """A chain whose Varnish fetches from the storages."""
    return installed({("varnish", "fetch_from"): "storage", ("storage g01", "http_listen"): "127.0.0.1:3",
                      ("storage g02", "http_listen"): "127.0.0.1:4"})


def test_misses_do_not_need_lighttpd_nor_pictures_one_storage(straight):
    ids = {group: [put(straight, group, pictures.noisy(20_000 + i, seed=i)) for i in range(2)]
           for group in ("g01", "g02")}
    straight.down("lighttpd")
    straight.down("download.fcgi")
    for group in ids:
        answer = web.get(straight.varnish, "/" + ids[group][0])
        assert answer.status == 200 and answer.headers["X-Cache"] == "MISS"

    def refused():
        with contextlib.suppress(ConnectionError, http.client.HTTPException):
            return web.upload(straight.varnish, straight.token(), pictures.drawn()).status == 503
    until(refused, "uploads go to lighttpd, which is missed")
    straight.up("download.fcgi")
    straight.up("lighttpd")
    # The other way about: what a storage does not answer, lighttpd and the volumes do.
    straight.down("storage_server-g01")
    until(lambda: web.get(straight.varnish, "/" + ids["g01"][1]).status == 200, "lighttpd stands by")
    straight.up("storage_server-g01")
    assert web.get(straight.varnish, "/" + ids["g02"][1]).status == 200


def test_a_switch_without_a_storage_to_ask_is_refused(tmp_path):
    conf = tmp_path / "picstore.conf"
    conf.write_text("[storage g01]\nstore_path = /tmp\n[varnish]\nfetch_from = storage\n")
    done = subprocess.run([BUILD / "src/programs/download.fcgi/download.fcgi", "-c", conf, "-t"],
                          capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2 and "http_listen" in done.stderr


# -- hostile callers

@pytest.fixture(scope="module")
def impatient(installed):
    """An installation whose storages wait for half a second."""
    return installed({("fdfs", "network_timeout"): "500ms", ("storage g01", "http_listen"): "127.0.0.1:3",
                      ("storage g01", "http_connections"): "40"})


def rest_of(link):
    """What comes until the end; a reset is one."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while piece := link.recv(1 << 16):
            data += piece
    return data


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\nX: ",
                                  b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12"])
def test_who_stops_within_a_request_is_left(impatient, said):
    with web.connect(impatient.http["g01"]) as link:
        link.sendall(said)
        assert rest_of(link) == b""


def test_who_trickles_a_request_is_left(impatient):
    """A byte at a time, each soon after the one before: nobody lives on that."""
    with web.connect(impatient.http["g01"]) as link:
        def cut():
            try:
                link.sendall(b"G")
                link.settimeout(0.05)
                return link.recv(1) == b""
            except TimeoutError:
                return False
            except ConnectionError:
                return True
        link.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        until(cut, "it is cut off", 10)


def test_who_does_not_take_an_answer_is_left(impatient):
    """Five million bytes of answers, of which not one is read."""
    file_id = put(impatient, "g01", bytes(1_000_000), "bin")
    with web.connect(impatient.http["g01"]) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.sendall(f"GET /{file_id} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * 5)
        def left():
            try:
                link.sendall(b"x")
            except ConnectionError:
                return True
            return False
        until(left, "it is cut off", 90)
    assert web.get(impatient.http["g01"], "/" + file_id).status == 200


def test_a_bomb_of_headers_is_refused(impatient):
    port = impatient.http["g01"]
    for head in (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X%d: y\r\n" % i for i in range(20000)),
                 b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 1_000_000,
                 b"GET /" + b"y" * 1_000_000):
        with web.connect(port) as link:
            with contextlib.suppress(ConnectionError):
                link.sendall(head + b"\r\n\r\n")
            answer = rest_of(link)
            assert answer == b"" or answer.split()[1] in (b"400", b"413", b"414", b"431"), answer[:200]
    assert web.get(port, "/").status == 400


@pytest.mark.parametrize("said", [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), b"\x00" * 300, b"\xff" * 300,
    b"SSH-2.0-OpenSSH_9.2\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(30),
    bytes(8) + b"\x0b\x00" + bytes(100), b"GET\r\n\r\n", b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"])
def test_what_is_no_http_is_not_answered_with_a_picture(impatient, said):
    with web.connect(impatient.http["g01"]) as link:
        link.sendall(said)
        with contextlib.suppress(OSError):
            link.shutdown(socket.SHUT_WR)
        answer = rest_of(link)
        assert answer == b"" or answer.split()[1][:1] in (b"4", b"5"), answer[:200]


def test_garbage_behind_a_request_does_not_reach_its_answer(impatient):
    file_id = put(impatient, "g01", pictures.drawn(seed=8))
    whole = web.get(impatient.http["g01"], "/" + file_id).body
    with web.connect(impatient.http["g01"]) as link:
        link.sendall(f"GET /{file_id} HTTP/1.1\r\nHost: a\r\n\r\n".encode() + bytes(range(256)) * 20)
        answer = rest_of(link)
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ") and rest.startswith(whole)
    more = rest[len(whole):]
    assert more == b"" or more.startswith(b"HTTP/1.1 400 "), more[:100]


def test_pipelined_requests_are_answered_in_order(impatient):
    ids = [put(impatient, "g01", pictures.noisy(5000 + i, seed=i)) for i in range(3)] * 20
    asked = b"".join(f"GET /{one} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for one in ids)
    with web.connect(impatient.http["g01"]) as link:
        link.sendall(asked)
        link.shutdown(socket.SHUT_WR)
        data = rest_of(link)
    for one in ids:
        head, _, data = data.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        assert fields["xkey"] == one
        data = data[int(fields["Content-Length"]):]
    assert data == b""


def test_a_body_is_read_and_forgotten_or_refused(impatient):
    port, file_id = impatient.http["g01"], put(impatient, "g01", pictures.drawn(seed=9))
    whole = web.get(port, "/" + file_id).body
    assert web.request(port, "GET", "/" + file_id, body=b"x" * 1000).body == whole
    web.refused(web.request(port, "POST", "/" + file_id, body=b"x"), 405, "bad_method")
    with web.connect(port) as link:
        with contextlib.suppress(ConnectionError):
            link.sendall(f"GET /{file_id} HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n"
                         .encode() + bytes(500_000))
        assert whole not in rest_of(link)


def test_idle_connections_do_not_keep_others_out_for_long(impatient):
    """As many silent ones as it takes at all: the next one waits until they are cut."""
    port = impatient.http["g01"]
    silent = [web.connect(port) for _ in range(60)]
    try:
        assert web.get(port, "/").status == 400
    finally:
        for link in silent:
            link.close()


def test_addresses_that_are_not_allowed_get_no_answer(impatient, installations):
    own = installations({("fdfs", "allow"): "127.0.0.1", ("storage g01", "http_listen"): "127.0.0.1:3"})
    own.start("--no-self-test")
    assert web.get(own.http["g01"], "/").status == 400
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        web.request(own.http["g01"], "GET", "/", source=("127.0.0.2", 0))

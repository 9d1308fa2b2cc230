"""Poisoned caches, injected headers and log lines, smuggled requests, foreign addresses: tried, and refused."""
import itertools
import json
import re

import pytest

import fdfs
import frames
import hostile
import package
import pictures
import web
from test_cut import ask
from wait import until

SECRETS = (b"root:", b"[picstore]", b"BEGIN ")


@pytest.fixture(scope="module")
def two(shared):
    """Two pictures of an installation: (url, bytes) each."""
    key = shared.token()
    found = []
    for seed in (430, 431):
        picture = pictures.drawn(seed=seed)
        found.append(("/" + web.stored(web.upload(shared.varnish, key, picture)), picture))
    return found


def raw(port, data):
    """All that comes back for these bytes."""
    got = b""
    with web.connect(port) as sock:
        try:
            sock.sendall(data)
            sock.shutdown(1)
            while more := sock.recv(65536):
                got += more
        except ConnectionError:
            pass
    return got


def poisons(other):
    names = ["Host", "X-Forwarded-Host", "X-Host", "X-Forwarded-Server", "Forwarded", "X-Forwarded-Proto",
             "X-Forwarded-For", "X-Forwarded-Prefix", "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override",
             "X-HTTP-Method", "X-Method-Override", "X-Sendfile", "X-Sendfile2", "X-Accel-Redirect", "X-Accel-Mapping",
             "X-Picture-Name", "X-Purge", "X-Purged", "X-Shelf", "X-Size", "xkey", "xkey-purge", "Surrogate-Key",
             "Surrogate-Control", "Cache-Control", "Pragma", "Range", "If-Range", "If-Match", "If-None-Match",
             "If-Modified-Since", "Accept", "Accept-Encoding", "Accept-Language", "Cookie", "Authorization", "Expect",
             "Upgrade", "Connection", "TE", "Transfer-Encoding", "Content-Length", "Trailer", "Via", "Age", "Vary",
             "Content-Type", "Proxy", "CDN-Loop", "Max-Forwards", "Origin", "Referer", "User-Agent"]
    values = [other, "evil.example", "http://evil.example" + other, "DELETE", "PURGE", "POST", "*", "/etc/passwd",
              "no-cache, no-store", "close, Host, X-Forwarded-For", "chunked", "bytes=0-0", "gzip;q=1, *;q=0"]
    for name, value in itertools.product(names, values):
        if name == "Host" or (name, value) not in (("Transfer-Encoding", "chunked"),):
            yield f"{name}: {value}"


def test_headers_do_not_poison_the_cache(shared, two):
    """Whatever was sent with the request that fetched it: everybody else gets the picture."""
    (_, picture), (other, _) = two
    lines = list(poisons(other))
    dice = hostile.seeded("poisons")
    dice.shuffle(lines)
    with fdfs.Client(shared.storage["g01"]) as storage:
        urls = ["/" + storage.upload(picture) for _ in (lines if hostile.LONG else lines[:250])]
    for url, line in zip(urls, lines):
        host = "" if line.startswith("Host:") else "Host: x\r\n"
        raw(shared.varnish, f"GET {url} HTTP/1.1\r\n{host}{line}\r\nConnection: close\r\n\r\n".encode())
        answer = web.get(shared.varnish, url)
        assert (answer.status, answer.body) == (200, picture), line
        assert answer.headers["Content-Type"] == "image/jpeg", line
        for name in ("Content-Disposition", "Set-Cookie", "Location", "Vary", "Content-Encoding", "xkey-purge"):
            assert name not in answer.headers, (line, name)
        assert b"evil" not in str(answer.headers).encode(), line


def test_urls_do_not_poison_the_cache(shared, two):
    """Spellings that are nearly the id's are none, and are no entries of their own."""
    (url, picture), (other, _) = two
    spellings = [
        url.replace("/", "%2f", 2), url.replace("/", "%2F", 3).replace("%2F", "/", 1), url.replace("M00", "m00"),
        url.replace("g01", "G01").replace("g02", "G02"), url.upper(), url.lower(), url + "/", url + "%00", url + "%20",
        url + ";x=1", url + "#" + other, "/" + url, "/." + url, "/x/.." + url, url.replace("/M00", "/./M00"),
        url.replace("/M00", "/x/../M00"), url.replace("/M00", "%2e%2e/M00"), url.replace("/M00", "\\M00"),
        "http://evil.example" + url, "/download.fcgi/../upload.cgi", "/download.fcgi" + url + "/../" + other,
        "/download.fcgi//" + url, "/DOWNLOAD.FCGI" + url, "/download.fcgi%2f" + url[1:], url + "\t", url + "%0d%0aX:y",
        "/../../../etc/passwd", "/..%2f..%2f..%2fetc/passwd", "/download.fcgi/../../etc/passwd",
        "/g01/M00/00/00/../../../../etc/passwd", "/g01/M00/00/00/..%252f..%252fetc%252fpasswd", "/%c0%ae%c0%ae/etc/passwd",
        "/etc/picstore.conf", "/.git/config", "/server-status", "/cgi-bin/", "/upload.cgi/../" + url, "*", ""]
    for port in (shared.varnish, shared.lighttpd):
        for spelling in spellings:
            answer = raw(port, f"GET {spelling} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            assert not any(secret in answer for secret in SECRETS), spelling
            if answer.startswith(b"HTTP/1.1 200"):
                assert answer.endswith(picture), spelling
            answer = web.get(shared.varnish, url)
            assert (answer.status, answer.body) == (200, picture), spelling
    for query in ("?", "?a=b", "?name=%0d%0aX:y", "?name=a%0aSet-Cookie:b", "?name=%22;x=", "?name=%E2%80%AEgpj.exe",
                  "?" + "a" * 5000, "?name=" + "%41" * 1000, "?name=" + "%e7%8c%ab" * 600,
                  "?name=" + "'" * 6000, "?" + "&name" * 1200 + "&name=%00", "?" + "name=&" * 1200, "?" + "&" * 7900 + "name=%00",
                  "?" + "a=?name=" * 900 + "&name=%00", "?x-http-method-override=PURGE", "?_method=DELETE"):
        answer = web.get(shared.varnish, url + query)
        assert (answer.status, answer.body) == (200, picture), query
        assert answer.headers["X-Cache"] == "HIT", query
        assert "Content-Disposition" not in answer.headers and "Set-Cookie" not in answer.headers, query


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Method"])
@pytest.mark.parametrize("method", ["PURGE", "DELETE", "BAN", "REFRESH"])
def test_a_method_in_a_header_is_none(shared, two, name, method):
    (url, picture), _ = two
    web.get(shared.varnish, url)
    for real in ("GET", "HEAD"):
        answer = web.request(shared.varnish, real, url, headers={name: method, "xkey-purge": url[1:]})
        assert answer.status == 200 and answer.headers["X-Cache"] == "HIT", answer
    assert web.get(shared.varnish, url).body == picture


@pytest.mark.parametrize("method", ["PURGE", "purge", "PURGE ", "BAN", "DELETE", "REFRESH", "PURGEALL", "xkey-purge"])
def test_purges_from_outside(shared, two, method):
    """By whatever name, whoever it claims to come from."""
    (url, _), _ = two
    web.get(shared.varnish, url)
    for claim in ("X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Client-IP: 127.0.0.1", "Via: x", "Host: localhost",
                  "xkey-purge: " + url[1:], "Forwarded: for=127.0.0.1"):
        connection = web.http.client.HTTPConnection("127.0.0.1", shared.varnish, timeout=60,
                                                    source_address=("127.0.0.2", 0))
        try:
            connection.putrequest(method.strip(), url, skip_host=claim.startswith("Host"))
            connection.putheader(*claim.split(": "))
            connection.endheaders()
            assert connection.getresponse().status in (400, 403, 405), claim
        finally:
            connection.close()
    assert web.get(shared.varnish, url).headers["X-Cache"] == "HIT"


SMUGGLED = b"PURGE %s HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("framing", [
    b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"Content-Length: 0\r\nContent-Length: 4\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"Content-Length: +0\r\n\r\n", b"Content-Length: 0x0\r\n\r\n", b"Content-Length: -1\r\n\r\n",
    b"Content-Length: 0\r\n X: y\r\n\r\n", b"X: y\nContent-Length: 0\r\n\r\n", b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    b"Content-Length: 0\r\n\r\n"])
@pytest.mark.parametrize("start", [b"GET %s HTTP/1.1", b"POST /upload.cgi HTTP/1.1", b"HEAD %s HTTP/1.1"],
                         ids=["get", "post", "head"])
def test_smuggled_requests_reach_nobody(shared, two, start, framing):
    """What follows a request whose end can be understood in two ways is not obeyed with the rights of
    somebody else: the next client gets its own answer, and no purge came from the gateway."""
    (url, picture), (other, second) = two
    web.get(shared.varnish, url)
    start = start.replace(b"%s", url.encode())
    with web.connect(shared.varnish) as sock:
        sock.sendall(start + b"\r\nHost: x\r\n" + framing + b"GET " + other.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        sock.shutdown(1)
        hostile.drain(sock)
    for _ in range(3):
        answer = web.get(shared.varnish, url)
        assert (answer.status, answer.body) == (200, picture)
        answer = web.get(shared.varnish, other)
        assert (answer.status, answer.body) == (200, second)


CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u2028\u2029]")
LINE = re.compile(r"^\d{4}-\d\d-\d\dT\S+Z [\w.]+( g\d+)?( \d+)? \w+: ")
EVIL = "x\r\n2026-01-01T00:00:00.000Z upload.cgi 1 alarm: FORGED\x1b[2J\x00\x9b"


def logs(shared):
    return {path.parent.name: path.read_text(errors="replace") for path in shared.home.glob("log/*/current")}


def test_nobody_writes_lines_into_logs(shared, two):
    """Names, keys, types, ids, commands with line ends and escape sequences in them."""
    (url, _), _ = two
    before = {name: len(text) for name, text in logs(shared).items()}
    mark = "mark%08x" % hostile.SEED
    for field in ("session_key", "type"):
        fields = {"session_key": shared.token(), "type": "jpg", field: EVIL + mark}
        web.post(shared.varnish, web.form([*fields.items(), ("file", pictures.drawn(), "a.jpg", "image/jpeg")]), web.form_type())
        web.post(shared.varnish, json.dumps({**fields, "file": ""}), "application/json")
    web.post(shared.varnish, web.form([("session_key", shared.token()), ("type", "jpg"),
                                       ("file", b"no picture", EVIL.replace("\r\n", "\n"), "a\x1bb")]), web.form_type())
    for header in ("User-Agent", "Referer", "Host", "X-Forwarded-For", "Content-Type"):
        for port in (shared.varnish, shared.lighttpd):
            raw(port, f"GET {url} HTTP/1.1\r\n{header}: a\x1b[2J\x0bFORGED{mark}\r\n\r\n".encode())
            raw(port, f"POST /upload.cgi HTTP/1.1\r\n{header}: a\rFORGED\r\nHost: x\r\nContent-Length: 1\r\n\r\nx".encode())
    for port in (shared.varnish, shared.lighttpd):
        raw(port, f"GET /%0d%0aFORGED{mark}\x1b HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1"))
        raw(port, b"GET /g01/M00/00/00/x%0aFORGED HTTP/1.1\r\nHost: x\r\n\r\n")
    evil = EVIL[:60]
    for port in (shared.cut_svr[0], shared.admin_proxy):
        with package.Caller(port) as caller:
            assert ask(caller, evil)[0] != 0
    for port in (shared.del_svr[0], shared.cs_del_svr[0], shared.admin_proxy):
        with package.Caller(port) as caller:
            assert caller.delete_later([evil]) != 0 or port == shared.cs_del_svr[0]
    for port in (shared.sess_check_svr, shared.admin_proxy):
        with frames.Client(port) as client:
            client.ask(frames.SESSION, EVIL.encode()[:48].ljust(48))
    name = EVIL.encode()[:44].ljust(44)
    for port, command, body in (
            (shared.storage["g01"], fdfs.DOWNLOAD, bytes(16) + fdfs.group_field("g01") + name),
            (shared.storage["g01"], fdfs.DELETE, fdfs.group_field("g01") + name),
            (shared.storage["g01"], fdfs.INFO, b"g\n\x1b1".ljust(16, b"\0") + name),
            (shared.tracker, fdfs.FETCH, b"g\n\x1b1".ljust(16, b"\0") + name),
            (shared.tracker, fdfs.STORE_IN, b"\nFORGED alarm\x1b".ljust(16, b"\0"))):
        with fdfs.Client(port) as client:
            assert client.ask(command, body)[0] != 0
    web.upload(shared.varnish, "the last line", pictures.drawn())
    until(lambda: logs(shared)["upload.cgi"][before["upload.cgi"]:], "the last line is written")
    for name, text in logs(shared).items():
        new = text[before[name]:] if len(text) >= before[name] else text
        for line in new.split("\n"):
            assert not CONTROL.search(line), (name, line)
            if name not in ("varnishd", "lighttpd") and line:
                assert LINE.match(line), (name, line)
                assert " 1 alarm: FORGED" not in line[:60], (name, line)


def test_addresses_instead_of_ids_lead_nowhere(shared):
    """No part of it calls an address that a client names."""
    with hostile.socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0)
        port = trap.getsockname()[1]
        names = [f"http://127.0.0.1:{port}/a.jpg", f"//127.0.0.1:{port}/a.jpg", f"127.0.0.1:{port}", "file:///etc/passwd",
                 f"g01/http://127.0.0.1:{port}/", f"ftp://127.0.0.1:{port}/x", f"\\\\127.0.0.1@{port}\\x", "/etc/passwd",
                 "g01/M00/00/00/../../../../etc/passwd", f"gopher://127.0.0.1:{port}/_x"]
        for name in names:
            for door in (shared.cut_svr[0], shared.admin_proxy):
                with package.Caller(door) as caller:
                    assert ask(caller, name[:64])[0] in (1, 2), name
            with package.Caller(shared.cs_del_svr[0]) as caller:
                assert caller.delete_now([name[:64]]) in (1, 2), name
            answer = web.post(shared.varnish, json.dumps(
                {"session_key": shared.token(), "type": "jpg", "file": name, "url": name}), "application/json")
            assert 400 <= answer.status < 500, (name, answer)
            raw(shared.varnish, f"GET {name} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Forwarded-Host: 127.0.0.1:{port}\r\n"
                "Connection: close\r\n\r\n".encode())
            raw(shared.varnish, f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            raw(shared.lighttpd, f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        with pytest.raises(BlockingIOError):
            trap.accept()

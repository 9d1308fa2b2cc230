"""s3_double.py - an S3 service in memory, which fails on demand.

It knows one bucket and one key, and checks every signature with code of its own.

    with S3Double() as s3: s3.url, s3.objects, s3.fail("PUT", "reset", times=2)
    s3_double.py PROGRAM...    runs PROGRAM with S3_ENDPOINT and its kin set; a test in C
                               asks for faults by POST /fault?method=PUT&what=reset&times=2

Faults (of requests whose signature is good):
    reset       the connection is cut and nothing done      unknown     the same, but done
    hang        no answer, nothing done                     secretly    no answer, but done
    slow        503 SlowDown                                broken      500
    denied      403 AccessDenied                            quota       403 QuotaExceeded
    nobucket    404 NoSuchBucket                            page        404 of a proxy
    wrong       a byte of the content is another            short       the content ends early
    sick        wrong, now and on this connection for ever
    shorter     the same, with a length that fits           longer      the same, longer
    quiet       not a fault: requests are counted as any other
"""
import datetime
import hashlib
import hmac
import http.server
import os
import socket
import ssl
import subprocess
import sys
import threading
import urllib.parse
import xml.sax.saxutils

ACCESS, SECRET, REGION, BUCKET = "AKPICSTORE", "a/secret+of=forty-characters,-no-less...", "eu-test-1", "pics"
HANG_SECONDS = 60
STATUS = {"slow": (503, "SlowDown"), "broken": (500, "InternalError"),
          "denied": (403, "AccessDenied"), "quota": (403, "QuotaExceeded"),
          "nobucket": (404, "NoSuchBucket")}


def digest(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature(method, target, headers, names, day, scope):
    """As the other side has to have made it; `headers` by lower-case name."""
    path, _, query = target.partition("?")
    lines = [method, path, query, *(f"{name}:{headers.get(name, '')}" for name in names), "",
             ";".join(names), headers["x-amz-content-sha256"]]
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope,
                      hashlib.sha256("\n".join(lines).encode()).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for word in (day, REGION, "s3", "aws4_request"):
        key = digest(key, word)
    return digest(key, text).hex()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    sick = None

    def log_message(self, *args):
        pass

    # -- answers

    def answer(self, status, body=b"", headers=(), length=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def error(self, status, code):
        self.answer(status, f'<?xml version="1.0"?><Error><Code>{code}</Code></Error>'.encode())

    def cut(self):
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.shutdown(socket.SHUT_RDWR)

    # -- requests

    def refusal(self, body):
        """What is wrong with the signature, or None."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        words = dict(word.partition("=")[::2] for word in
                     headers.get("authorization", "").removeprefix("AWS4-HMAC-SHA256 ").split(","))
        names = words.get("SignedHeaders", "").split(";")
        day = headers.get("x-amz-date", "")[:8]
        scope = f"{day}/{REGION}/s3/aws4_request"
        sent = [name for name in headers if name.startswith("x-amz-") or name in ("host", "if-none-match", "range")]
        if sorted(names) != names or not set(sent) <= set(names):
            return "SignedHeaders"
        if words.get("Credential") != f"{ACCESS}/{scope}":
            return "InvalidAccessKeyId"
        when = datetime.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        if abs((datetime.datetime.utcnow() - when).total_seconds()) > 900:
            return "RequestTimeTooSkewed"
        if headers["x-amz-content-sha256"] != hashlib.sha256(body).hexdigest():
            return "XAmzContentSHA256Mismatch"
        if words.get("Signature") != signature(self.command, self.path, headers, names, day, scope):
            return "SignatureDoesNotMatch"
        return None

    def handle_one(self):
        s3 = self.server.s3
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        refused = self.refusal(body)
        if refused:
            self.error(403, refused)
            return
        path, _, query = self.path.partition("?")
        in_host = self.headers["Host"].startswith(BUCKET + ".")
        parts = (f"/{BUCKET}{path}" if in_host else path).split("/", 2)
        if parts[1] != BUCKET:
            self.error(404, "NoSuchBucket")
            return
        what = s3.next_fault(self.command) or self.sick
        if what == "sick":
            what = self.sick = "wrong"
        if what in STATUS:
            self.error(*STATUS[what])
        elif what == "page":
            self.answer(404, b"<html>not here</html>")
        elif what == "reset":
            self.cut()
        elif what == "hang":
            s3.released.wait(HANG_SECONDS)
            self.close_connection = True
        elif what in ("unknown", "secretly"):
            s3.do(self.command, parts[2], body, False)
            if what == "secretly":
                s3.released.wait(HANG_SECONDS)
            self.cut()
        elif not parts[2]:
            self.list(dict(urllib.parse.parse_qsl(query, strict_parsing=True)))
        else:
            self.object(parts[2], body, what)

    do_GET = do_HEAD = do_PUT = do_DELETE = handle_one

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        words = dict(urllib.parse.parse_qsl(self.path.partition("?")[2]))
        s3 = self.server.s3
        if "exclusive" in words:
            s3.exclusive = words["exclusive"]
        if "what" in words:
            s3.fail(words["method"], words["what"], int(words.get("times", 1)))
        if words.get("clear"):
            s3.objects.clear()
            s3.faults.clear()
        self.answer(200, " ".join([str(len(s3.objects)), str(s3.requests)]).encode())

    def object(self, key, body, what):
        s3 = self.server.s3
        status, content = s3.do(self.command, key, body,
                                self.headers.get("If-None-Match") == "*")
        if status == 404:
            self.error(404, "NoSuchKey")
        elif status in (412, 501):
            self.error(status, {412: "PreconditionFailed", 501: "NotImplemented"}[status])
        elif self.command == "GET" and self.headers.get("Range"):
            first, last = self.headers["Range"].removeprefix("bytes=").split("-")
            part = content[int(first):int(last) + 1]
            if not part:
                self.error(416, "InvalidRange")
            else:
                self.answer(206, part, [("Content-Range", f"bytes {first}-{last}/{len(content)}")])
        elif what == "wrong":
            self.answer(status, content[:-1] + bytes([content[-1] ^ 1]))
        elif what == "short":
            self.answer(status, content[:len(content) // 2], length=len(content))
            self.close_connection = True
        elif what == "shorter":
            self.answer(status, content[:-1])
        elif what == "longer":
            self.answer(status, content + b"!" * 100_000)
        else:
            self.answer(status, content)

    def list(self, query):
        s3 = self.server.s3
        assert query["list-type"] == "2", query
        after = query.get("continuation-token", "").removeprefix("+ /=&")
        keys = sorted(key for key in list(s3.objects)
                      if key.startswith(query.get("prefix", "")) and key > after)
        page, more = keys[:s3.page], len(keys) > s3.page
        text = "".join(
            f"<Contents><Key>{xml.sax.saxutils.escape(key)}</Key>"
            f"<Size>{len(s3.objects.get(key, b''))}</Size><ETag>&quot;&quot;</ETag></Contents>" for key in page)
        token = "+ /=&" + page[-1] if more else ""
        self.answer(200, (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{BUCKET}</Name><IsTruncated>{str(more).lower()}</IsTruncated>"
            + (f"<NextContinuationToken>{xml.sax.saxutils.escape(token)}</NextContinuationToken>" if more else "")
            + f"{text}</ListBucketResult>").encode())


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        kind = sys.exc_info()[0]
        if not issubclass(kind, (ConnectionError, OSError)):
            super().handle_error(request, client_address)


class S3Double:
    """`exclusive`: what it makes of "If-None-Match: *": "honours", "ignores", "refuses" it.
    `certificate`: a PEM file with a key too, for TLS."""

    def __init__(self, exclusive="honours", page=1000, certificate=None):
        self.exclusive, self.page = exclusive, page
        self.objects, self.faults, self.requests = {}, [], 0
        self.lock, self.released = threading.Lock(), threading.Event()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.s3 = self
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        if certificate:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
            self.url = f"https://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def environment(self):
        return {"S3_ENDPOINT": self.url, "S3_REGION": REGION, "S3_BUCKET": BUCKET,
                "S3_ACCESS_KEY": ACCESS, "S3_SECRET_KEY": SECRET}

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def fail(self, method, what, times=1):
        """The next `times` requests of the method (or "ANY"); 0: no more faults."""
        with self.lock:
            if times == 0:
                self.faults.clear()
                self.released.set()
                self.released = threading.Event()
            else:
                self.faults.append([method, what, times])

    def next_fault(self, method):
        with self.lock:
            self.requests += 1
            for fault in self.faults:
                if fault[0] in (method, "ANY"):
                    fault[2] -= 1
                    if fault[2] == 0:
                        self.faults.remove(fault)
                    return fault[1]
        return None

    def do(self, method, key, body, only_if_new):
        """(status, content)"""
        with self.lock:
            if method == "PUT":
                if only_if_new and self.exclusive == "refuses":
                    return 501, b""
                if only_if_new and self.exclusive == "honours" and key in self.objects:
                    return 412, b""
                self.objects[key] = body
                return 200, b""
            if method == "DELETE":
                self.objects.pop(key, None)
                return 204, b""
            if key not in self.objects:
                return 404, b""
            return 200, self.objects[key]


if __name__ == "__main__":
    with S3Double(page=7) as double:
        sys.exit(subprocess.run(sys.argv[1:], check=False,
                                env={**os.environ, **double.environment()}).returncode)

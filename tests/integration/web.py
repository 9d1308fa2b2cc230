"""web.py - HTTP as clients speak it: requests, multipart forms, raw bytes on a socket."""
import http.client
import json
import socket

BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
KEYS_IN_ORDER = ["result", "albumid", "photoid", "file_name", "hostid", "lloc", "len"]


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {dict(self.headers)} {self.body[:200]!r}>"


def request(port, method, path, body=None, headers=None, source=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=source)
    try:
        connection.request(method, path, body, headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def get(port, path, **headers):
    return request(port, "GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})


def statuses(port, ids):
    """The status of each, all asked for on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    found = []
    try:
        for file_id in ids:
            connection.request("GET", "/" + file_id)
            response = connection.getresponse()
            response.read()
            found.append(response.status)
    finally:
        connection.close()
    return found


def head(port, path, **headers):
    return request(port, "HEAD", path, headers={k.replace("_", "-"): v for k, v in headers.items()})


def purge(port, path, **rest):
    return request(port, "PURGE", path, **rest)


def form(fields, boundary=BOUNDARY):
    """`fields`: (name, value) or (name, value, filename, type), values text or bytes."""
    parts = []
    for name, value, *more in fields:
        head_lines = f'Content-Disposition: form-data; name="{name}"'
        if more:
            head_lines += f'; filename="{more[0]}"\r\nContent-Type: {more[1]}'
        value = value if isinstance(value, bytes) else str(value).encode()
        parts.append(f"--{boundary}\r\n{head_lines}\r\n\r\n".encode() + value + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


def form_type(boundary=BOUNDARY):
    return f"multipart/form-data; boundary={boundary}"


def post(port, body, content_type, path="/upload.cgi", headers=None, source=None):
    return request(port, "POST", path, body, {"Content-Type": content_type, **(headers or {})}, source)


def upload(port, key, picture, kind="jpg", name="picture.jpg", source=None):
    """An upload as a browser sends it."""
    fields = [("session_key", key), ("type", kind), ("file", picture, name, "image/jpeg")]
    return post(port, form(fields), form_type(), source=source)


def stored(answer):
    """The id in the answer to a good upload, whose shape is checked."""
    assert answer.status == 200, answer
    text = answer.body.decode()
    pairs = json.loads(text, object_pairs_hook=list)
    assert [name for name, _ in pairs] == KEYS_IN_ORDER, text
    found = dict(pairs)
    assert found["result"] == "success"
    assert '"lloc":"' + found["lloc"].replace("/", "\\/") + '"' in text, "slashes are escaped"
    return found["lloc"]


def refused(answer, status, word):
    assert answer.status == status, answer
    found = answer.json()
    assert list(found) == ["result", "error", "message"], found
    assert (found["result"], found["error"]) == ("fail", word), found
    assert found["message"], found


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=60)

"""fastcgi.py - a FastCGI request as lighttpd sends it, and the answer taken apart."""
import socket
import struct

BEGIN, END, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6


def record(kind, content):
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def pair(name, value):
    def length(text):
        return struct.pack(">B", len(text)) if len(text) < 128 else struct.pack(">I", len(text) | 1 << 31)
    name, value = name.encode(), value.encode()
    return length(name) + length(value) + name + value


def exactly(stream, count):
    data = stream.read(count)
    assert len(data) == count, "the program left"
    return data


def request(path, method, target, headers):
    """(status, [(name, value)], body); a slice of a file is read, as lighttpd would."""
    params = {"REQUEST_METHOD": method, "REQUEST_URI": target, "REMOTE_ADDR": "127.0.0.1"}
    params.update({"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers})
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(60)
        link.connect(str(path))
        link.sendall(record(BEGIN, struct.pack(">HB5x", 1, 0)) +
                     record(PARAMS, b"".join(pair(*one) for one in params.items())) +
                     record(PARAMS, b"") + record(STDIN, b""))
        out, kind = b"", None
        with link.makefile("rb") as stream:
            while kind != END:
                _, kind, _, length, padding, _ = struct.unpack(">BBHHBB", exactly(stream, 8))
                content = exactly(stream, length + padding)[:length]
                out += content if kind == STDOUT else b""
    head, _, body = out.partition(b"\r\n\r\n")
    lines = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n")]
    status = int(dict(lines)["Status"].split()[0])
    kept = []
    for name, value in lines:
        if name == "X-Sendfile2":
            file, _, span = value.rpartition(" ")
            first, last = map(int, span.split("-"))
            with open(file, "rb") as volume:
                volume.seek(first)
                body = volume.read(last - first + 1)
            kept.append(("Content-Length", str(last - first + 1)))
        elif name != "Status":
            kept.append((name, value))
    return status, kept, body

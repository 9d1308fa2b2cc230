"""package.py - the framed protocol as a caller speaks it."""
import socket
import struct

DELETE_LATER, CUT, DELETE_NOW, PING = 3002, 3005, 3030, 0x10B0
OK, BAD_REQUEST, BAD_ID, UNREACHABLE = 0, 1, 2, 12
HEADER = struct.Struct("<IHIII")


def delete_body(urls, hostid=7):
    items = b"".join(struct.pack("<I64s", hostid, url.encode()) for url in urls)
    return struct.pack("<I", len(urls)) + items


def package(cmd, body=b"", user=10001, seq=1):
    return HEADER.pack(HEADER.size + len(body), cmd, user, seq, 0) + body


class Caller:
    def __init__(self, port, timeout=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.seq = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def receive(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def reply(self):
        """(cmd, user, seq, ret, body)"""
        length, cmd, user, seq, ret = HEADER.unpack(self.receive(HEADER.size))
        return cmd, user, seq, ret, self.receive(length - HEADER.size)

    def call(self, cmd, body=b"", user=10001):
        """Returns ret."""
        self.seq += 1
        self.socket.sendall(package(cmd, body, user, self.seq))
        got = self.reply()
        assert got[:3] == (cmd, user, self.seq) and got[4] == b"", got
        return got[3]

    def delete_later(self, urls, **more):
        return self.call(DELETE_LATER, delete_body(urls), **more)

    def delete_now(self, urls, **more):
        return self.call(DELETE_NOW, delete_body(urls), **more)

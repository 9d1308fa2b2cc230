"""fdfs.py - a small client of the FastDFS protocol, for tests alone."""
import base64
import socket
import struct

DOWNLOAD, UPLOAD, DELETE, INFO = 14, 11, 12, 22
SET_METADATA, GET_METADATA, SLAVE, APPENDER, LIST_SLAVES = 13, 15, 21, 23, 191
ADOPT, NAMES, RESTORE = 192, 193, 194
APPEND, MODIFY, TRUNCATE, FINISH = 24, 34, 36, 38
STORE, STORE_IN, FETCH, UPDATE, FETCH_ALL, STORE_ALL, STORE_ALL_IN = 101, 104, 102, 103, 105, 106, 107
GROUP, GROUPS, STORAGES, ACTIVE_TEST, QUIT, REPLY = 90, 91, 92, 111, 82, 100
ENOENT, EEXIST, EINVAL, EFBIG, ENOSPC = 2, 17, 22, 27, 28


def package(command, body=b"", status=0, length=None):
    return struct.pack(">qBB", len(body) if length is None else length, command, status) + body


def group_field(group):
    return group.encode().ljust(16, b"\0")


def split(file_id):
    group, _, name = file_id.partition("/")
    return group_field(group), name.encode()


def text(field):
    return field.split(b"\0")[0].decode()


def decode_name(name):
    """The 20 bytes in a name without the group: who, when, size field, CRC."""
    return base64.urlsafe_b64decode(name[10:37] + "=")


class Closed(Exception):
    """The server closed the connection."""


class Failed(Exception):
    def __init__(self, status):
        super().__init__(f"status {status}")
        self.status = status


class Client:
    """One connection."""

    def __init__(self, port, timeout=30, host="127.0.0.1", source=None):
        self.socket = socket.create_connection((host, port), timeout=timeout, source_address=source)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def read(self, count):
        data = bytearray()
        while len(data) < count:
            try:
                more = self.socket.recv(count - len(data))
            except ConnectionResetError:
                more = b""
            if not more:
                raise Closed
            data += more
        return bytes(data)

    def reply(self):
        """(status, body) of the next reply."""
        length, command, status = struct.unpack(">qBB", self.read(10))
        assert command == REPLY, f"a reply with command {command}"
        assert 0 <= length < 1 << 30
        assert status == 0 or length == 0, "an error has no body"
        return status, self.read(length)

    def ask(self, command, body=b""):
        self.send(package(command, body))
        return self.reply()

    def call(self, command, body=b""):
        status, answer = self.ask(command, body)
        if status:
            raise Failed(status)
        return answer

    # -- tracker

    def store(self, group=None):
        """(group, port, store path index)"""
        answer = self.call(STORE_IN, group_field(group)) if group else self.call(STORE)
        assert len(answer) == 40
        return text(answer[:16]), struct.unpack(">q", answer[31:39])[0], answer[39]

    def fetch(self, file_id, command=FETCH):
        group, name = split(file_id)
        answer = self.call(command, group + name)
        assert len(answer) == 39
        return text(answer[:16]), struct.unpack(">q", answer[31:39])[0]

    # -- storage

    def upload(self, content, ext="jpg", path=255):
        head = struct.pack(">Bq6s", path, len(content), ext.encode())
        answer = self.call(UPLOAD, head + content)
        return text(answer[:16]) + "/" + answer[16:].decode()

    def download(self, file_id, offset=0, count=0):
        group, name = split(file_id)
        return self.call(DOWNLOAD, struct.pack(">qq", offset, count) + group + name)

    def delete(self, file_id):
        group, name = split(file_id)
        self.call(DELETE, group + name)

    def info(self, file_id):
        group, name = split(file_id)
        answer = self.call(INFO, group + name)
        assert len(answer) == 40
        size, time, crc = struct.unpack(">qqq", answer[:24])
        return size, time, crc & 0xFFFFFFFF

    def upload_slave(self, master, prefix, content, ext=""):
        name = split(master)[1]
        head = struct.pack(">qq16s6s", len(name), len(content), prefix.encode(), ext.encode())
        return self.new_id(self.call(SLAVE, head + name + content))

    def upload_appender(self, content, ext="log", path=255):
        return self.new_id(self.call(APPENDER, struct.pack(">Bq6s", path, len(content), ext.encode()) + content))

    def append(self, file_id, content):
        name = split(file_id)[1]
        self.call(APPEND, struct.pack(">qq", len(name), len(content)) + name + content)

    def modify(self, file_id, offset, content):
        name = split(file_id)[1]
        self.call(MODIFY, struct.pack(">qqq", len(name), offset, len(content)) + name + content)

    def truncate(self, file_id, size):
        name = split(file_id)[1]
        self.call(TRUNCATE, struct.pack(">qq", len(name), size) + name)

    def finish(self, file_id):
        return self.new_id(self.call(FINISH, split(file_id)[1]))

    def set_metadata(self, file_id, text, flag="O"):
        group, name = split(file_id)
        head = struct.pack(">qqc", len(name), len(text), flag.encode())
        self.call(SET_METADATA, head + group + name + text)

    def metadata(self, file_id):
        group, name = split(file_id)
        return self.call(GET_METADATA, group + name)

    def slaves(self, file_id):
        group, name = split(file_id)
        return [text(group) + "/" + line.decode() for line in self.call(LIST_SLAVES, group + name).splitlines()]

    def names(self, file_id):
        """All names of it without the group, its own one first."""
        group, name = split(file_id)
        answer, found = self.call(NAMES, group + name), []
        while answer:
            found.append(answer[1:1 + answer[0]].decode())
            answer = answer[1 + answer[0]:]
        return found

    def adopt(self, names, content, ext="jpg"):
        """Store it as a picture that had these names (without the group) elsewhere."""
        listed = b"".join(bytes([len(name)]) + name.encode() for name in names)
        head = struct.pack(">BBB6sB", 1, 0, 255, ext.encode(), len(names)) + listed
        return self.new_id(self.call(ADOPT, head + struct.pack(">q", len(content)) + content))

    @staticmethod
    def new_id(answer):
        return text(answer[:16]) + "/" + answer[16:].decode()

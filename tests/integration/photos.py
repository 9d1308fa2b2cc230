"""photos.py - metadata_dbsvr's commands, for tests."""
import struct

PUT, GET, GET_URL, LIST_ALBUM, LIST_USER, RENAME, MOVE, DELETE, COUNT, SEARCH, SETTLE, ALBUMS, \
    LIST_ALL = range(0x10C0, 0x10CD)
PENDING, STORED, DELETED, LOST = range(4)
EVERY_STATE = 15
BAD_REQUEST, BAD_ID, NOT_FOUND, GONE, EXISTS, NOT_ALLOWED = 1, 2, 3, 4, 5, 9
FIELDS = ("photoid", "uid", "albumid", "channel", "is_head", "state", "type", "width", "height",
          "crc", "length", "time", "ip")
PHOTO = "<QIIIHHHIIIQQ4s"


def text(value):
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<H", len(raw)) + raw


def take_text(raw, at):
    (size,) = struct.unpack_from("<H", raw, at)
    return raw[at + 2:at + 2 + size].decode(), at + 2 + size


def photo(name="", url="", **fields):
    values = {field: 0 for field in FIELDS} | {"ip": b"\0\0\0\0"} | fields
    return struct.pack(PHOTO, *values.values()) + text(name) + text(url)


def take_photo(raw, at=0):
    one = dict(zip(FIELDS, struct.unpack_from(PHOTO, raw, at)))
    one["name"], at = take_text(raw, at + struct.calcsize(PHOTO))
    one["url"], at = take_text(raw, at)
    return one, at


class Photos:
    """`client` is a Picstore connected to metadata_dbsvr, or to an admin_proxy."""

    def __init__(self, client):
        self.client = client

    def put(self, user=None, **fields):
        """Returns (albumid, photoid)."""
        return struct.unpack("<IQ", self.client.call(PUT, photo(**fields), user))

    def get(self, photoid):
        return take_photo(self.client.call(GET, struct.pack("<Q", photoid)))[0]

    def get_url(self, url):
        return take_photo(self.client.call(GET_URL, text(url)))[0]

    def page(self, cmd=LIST_ALL, uid=0, albumid=0, after=0, limit=1000, flags=0, states=0, what=""):
        """Returns (more, photos)."""
        raw = self.client.call(cmd, struct.pack("<IIQHHH", uid, albumid, after, limit, flags, states)
                               + text(what))
        (more, count), at, found = struct.unpack_from("<HH", raw), 4, []
        for _ in range(count):
            one, at = take_photo(raw, at)
            found.append(one)
        assert at == len(raw)
        return more != 0, found

    def albums(self, uid):
        raw = self.client.call(ALBUMS, struct.pack("<IIQHHH", uid, 0, 0, 100, 0, 0) + text(""))
        (more, count), at, found = struct.unpack_from("<HH", raw), 4, {}
        assert more == 0
        for _ in range(count):
            albumid, _, photos = struct.unpack_from("<IQQ", raw, at)
            _, at = take_text(raw, at + 20)
            found[albumid] = photos
        return found

    def count(self, uid, albumid=0, states=0):
        """Returns (photos, bytes)."""
        return struct.unpack("<QQ", self.client.call(
            COUNT, struct.pack("<IIQHHH", uid, albumid, 0, 0, 0, states) + text("")))

    def rename(self, photoid, name, user=0):
        self.client.call(RENAME, struct.pack("<Q", photoid) + text(name), user)

    def move(self, photoid, albumid, user=0):
        return struct.unpack("<I", self.client.call(
            MOVE, struct.pack("<QI", photoid, albumid), user))[0]

    def delete(self, photoid=0, url="", user=0):
        self.client.call(DELETE, struct.pack("<Q", photoid) + text(url), user)

    def settle(self, photoid, what, url=""):
        self.client.call(SETTLE, struct.pack("<QH", photoid, what) + text(url))

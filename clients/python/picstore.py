"""picstore.py - a client of picstore's services, in one file to copy.

    from picstore import Picstore, PicstoreError

    with Picstore("127.0.0.1", 6998) as store:
        thumb = store.cut("g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg", 200, 200)
        store.delete_later([thumb])

One connection, made when it is needed; not to be shared by threads.  Every call either
returns or raises PicstoreError, whose `code` is the field ret of the reply (docs/protocol.md)
or 0 when there was no reply.  Needs nothing but Python 3.
"""
import socket
import struct

__all__ = ["Picstore", "PicstoreError"]

WORDS = (
    "ok", "bad_request", "bad_id", "not_found", "gone", "exists", "too_large", "store_full",
    "busy", "not_allowed", "corrupt", "unknown", "store_down", "timeout", "io_error",
    "unsupported", "internal", "no_key", "bad_key", "key_expired", "key_not_yet", "empty_file",
    "not_a_picture", "pixel_bomb", "truncated", "service_down")

DELETE_LATER, CUT, DELETE_NOW, PING, SESSION = 3002, 3005, 3030, 0x10B0, 0x10B5
(PHOTO_PUT, PHOTO_GET, PHOTO_GET_URL, LIST_ALBUM, LIST_USER, PHOTO_RENAME, PHOTO_MOVE, PHOTO_DELETE,
 PHOTO_COUNT, PHOTO_SEARCH, PHOTO_SETTLE, ALBUMS, LIST_ALL) = range(0x10C0, 0x10CD)
# A photo's states, and what settles one that is pending.
PENDING, STORED, DELETED, LOST = range(4)
FORGET = 0
PHOTO_FORM = "QIIIHHHIIIQQ4s"
PHOTO_FIELDS = ("photoid", "uid", "albumid", "channel", "is_head", "state", "type", "width",
                "height", "crc", "length", "time", "ip")
MAX_REPLY = 64 << 20


class PicstoreError(Exception):
    """`code` and `word` say why; `sent` that the request may have been carried out."""

    def __init__(self, code, message, sent=False):
        self.code = code
        self.word = WORDS[code] if code < len(WORDS) else "internal"
        self.sent = sent
        super().__init__(message or f"picstore answered {self.code} ({self.word})")


class Picstore:
    """A connection to admin_proxy, or to a service itself.

    `address` is a host, or the path of a unix socket; `order` is the byte_order of the
    installation; `timeout` is in seconds, for one call; `user` is the user number of calls
    that name none.
    """

    def __init__(self, address="127.0.0.1", port=6998, order="little", timeout=10, user=0):
        self.address, self.port, self.timeout, self.user = address, port, timeout, user
        self._order = {"little": "<", "big": ">"}[order]
        self._socket = None
        self._seq = 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    # -- the services

    def ping(self):
        """Whoever is at the other end answers."""
        self.call(PING)

    def cut(self, url, thumb_w, thumb_h, clip_w=0, clip_h=0, start_x=0, start_y=0, hostid=0,
            user=None):
        """Scale the rectangle of a picture to thumb_w x thumb_h; returns the new picture's id.

        With clip_w or clip_h 0 the whole picture is fitted into the box.
        """
        body = self._pack("I64sIIiiII", hostid, self._url(url), clip_w, clip_h, start_x,
                          start_y, thumb_w, thumb_h)
        reply = self.call(CUT, body, user)
        if len(reply) != 68:
            self._broken("the reply to a cut makes no sense")
        return self._unpack("I64s", reply)[1].split(b"\0", 1)[0].decode("ascii")

    def delete_later(self, urls, hostid=0, user=None):
        """Note pictures to be deleted; they are then, in their time."""
        self.call(DELETE_LATER, self._deletion(urls, hostid), user)

    def delete_now(self, urls, hostid=0, user=None):
        """Delete pictures, and all that was made of them, from the store and all caches."""
        self.call(DELETE_NOW, self._deletion(urls, hostid), user)

    def session_use(self, key, user=None):
        """Count a use of a session key; returns (used, left).  Code 19: used too often."""
        return self._session(0, key, user)

    def session_look(self, key, user=None):
        """The same without counting."""
        return self._session(1, key, user)

    # -- photos and albums

    def photo_put(self, photo, user=None):
        """Put a photo, a dict of the fields that photo_get returns; those that are left out
        are 0 or empty, so it is pending unless `state` and `url` say otherwise.

        Returns (albumid, photoid).  Code 5: another photo has that url.
        """
        unknown = set(photo) - set(PHOTO_FIELDS) - {"name", "url"}
        if unknown:
            raise PicstoreError(1, f"a photo has no field {sorted(unknown)[0]!r}")
        values = {**dict.fromkeys(PHOTO_FIELDS, 0), "ip": "0.0.0.0", **photo}
        try:
            values["ip"] = socket.inet_aton(values["ip"])
        except OSError as error:
            raise PicstoreError(1, f"{values['ip']!r} is no IPv4 address") from error
        body = self._pack(PHOTO_FORM, *(values[field] for field in PHOTO_FIELDS))
        body += self._text(photo.get("name", "")) + self._text(photo.get("url", ""))
        return self._fixed("IQ", self.call(PHOTO_PUT, body, user))

    def photo_get(self, photoid, user=None):
        """A photo by its number, as a dict."""
        return self._one_photo(self.call(PHOTO_GET, self._pack("Q", photoid), user))

    def photo_get_url(self, url, user=None):
        """A photo by the id of its picture."""
        return self._one_photo(self.call(PHOTO_GET_URL, self._text(url), user))

    def album_photos(self, uid, albumid=0, **options):
        """Photos of an album; returns (a list of them, whether there are more).

        The options of this and other lists: `after`, the last photoid of the page before;
        `limit`, at most 1000; `newest_first`; `states`, a list of states, stored ones alone if
        it is left out; `user`.
        """
        return self._photos(LIST_ALBUM, uid, albumid, **options)

    def user_photos(self, uid, **options):
        """Photos of a user."""
        return self._photos(LIST_USER, uid, **options)

    def search_photos(self, uid, text, **options):
        """Photos of a user with `text` anywhere in their names."""
        return self._photos(PHOTO_SEARCH, uid, text=text, **options)

    def all_photos(self, **options):
        """Photos of all users."""
        return self._photos(LIST_ALL, 0, **options)

    def photo_count(self, uid, albumid=0, states=(), user=None):
        """Of an album, or of all of a user's; returns (how many, of how many bytes)."""
        return self._fixed("QQ", self.call(
            PHOTO_COUNT, self._query(uid, albumid, states=states), user))

    def photo_rename(self, photoid, name, user=None):
        """Code 9: it is another user's, here and below; user 0 may change everybody's."""
        self.call(PHOTO_RENAME, self._pack("Q", photoid) + self._text(name), user)

    def photo_move(self, photoid, albumid, user=None):
        """Into another album of its owner, which is made if need be; returns its number."""
        return self._fixed("I", self.call(PHOTO_MOVE, self._pack("QI", photoid, albumid), user))[0]

    def photo_delete(self, photoid=0, url="", user=None):
        """Mark a photo as deleted, by number or by url.  delete_now deletes its picture too."""
        self.call(PHOTO_DELETE, self._pack("Q", photoid) + self._text(url), user)

    def photo_settle(self, photoid, what, url="", user=None):
        """What became of a photo: FORGET (one that is pending), STORED as `url`, DELETED, LOST."""
        self.call(PHOTO_SETTLE, self._pack("QH", photoid, what) + self._text(url), user)

    def albums(self, uid, after=0, limit=100, user=None):
        """Albums of a user, as dicts; returns (a list of them, whether there are more)."""
        reply = self.call(ALBUMS, self._query(uid, after=after, limit=limit), user)
        return self._page(reply, self._take_album)

    # -- packages

    def call(self, cmd, body=b"", user=None):
        """Send a package of any command, return the body of its reply."""
        self._seq = (self._seq + 1) & 0xffffffff
        header = self._pack("IHIII", 18 + len(body), cmd, self.user if user is None else user,
                            self._seq, 0)
        fresh = self._socket is None
        sent = False
        try:
            if fresh:
                self._connect()
            elif self._has_ended():
                self.close()
                self._connect()
            self._socket.sendall(header + body)
            sent = True
            return self._receive(cmd)
        except OSError as error:
            self.close()
            raise PicstoreError(0, f"{self.address}: {error}", sent) from error

    def _connect(self):
        if self.address.startswith("/"):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(self.timeout)
            self._socket.connect(self.address)
        else:
            self._socket = socket.create_connection((self.address, self.port), self.timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _has_ended(self):
        self._socket.settimeout(0)
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        finally:
            self._socket.settimeout(self.timeout)
        return True

    def _receive(self, cmd):
        length, its_cmd, _, seq, ret = self._unpack("IHIII", self._exactly(18))
        if its_cmd != cmd or seq != self._seq or not 18 <= length <= MAX_REPLY:
            self._broken("the reply makes no sense: is the byte order the same there?")
        body = self._exactly(length - 18)
        if ret != 0:
            if ret == 6:  # the other end closes behind a package that is too long
                self.close()
            raise PicstoreError(ret, None)
        return body

    def _exactly(self, length):
        parts = []
        while length > 0:
            part = self._socket.recv(min(length, 1 << 20))
            if not part:
                raise ConnectionResetError("the connection was closed instead of an answer")
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def _broken(self, message):
        self.close()
        raise PicstoreError(0, message, True)

    # -- bodies

    def _pack(self, form, *values):
        try:
            return struct.pack(self._order + form, *values)
        except struct.error as error:
            raise PicstoreError(1, str(error)) from error

    def _unpack(self, form, data):
        return struct.unpack(self._order + form, data)

    @staticmethod
    def _url(url):
        data = url.encode("utf-8")
        if not 0 < len(data) <= 64 or b"\0" in data:
            raise PicstoreError(2, f"{url!r} is not an id of at most 64 characters")
        return data

    def _deletion(self, urls, hostid):
        if isinstance(urls, str):
            urls = [urls]
        items = [self._pack("I64s", hostid, self._url(url)) for url in urls]
        return self._pack("I", len(items)) + b"".join(items)

    def _session(self, what, key, user):
        data = key.encode("utf-8")
        reply = self.call(SESSION, self._pack("HH", what, len(data)) + data, user)
        if len(reply) != 8:
            self._broken("the reply about a session makes no sense")
        return self._unpack("II", reply)

    def _text(self, text):
        data = text.encode("utf-8")
        if len(data) > 255:
            raise PicstoreError(1, "a name or url has at most 255 bytes")
        return self._pack("H", len(data)) + data

    def _query(self, uid, albumid=0, after=0, limit=100, newest_first=False, states=(), text=""):
        return self._pack("IIQHHH", uid, albumid, after, limit, int(newest_first),
                          sum(1 << state for state in set(states))) + self._text(text)

    def _photos(self, cmd, uid, albumid=0, user=None, **query):
        return self._page(self.call(cmd, self._query(uid, albumid, **query), user),
                          self._take_photo)

    def _fixed(self, form, reply):
        if len(reply) != struct.calcsize("<" + form):
            self._broken("the reply about a photo makes no sense")
        return self._unpack(form, reply)

    def _page(self, reply, take):
        found, at = [], 4
        try:
            more, count = self._unpack("HH", reply[:4])
            for _ in range(count):
                one, at = take(reply, at)
                found.append(one)
        except (struct.error, UnicodeDecodeError):
            at = -1
        if at != len(reply):
            self._broken("the reply about photos makes no sense")
        return found, more != 0

    def _one_photo(self, reply):
        try:
            one, at = self._take_photo(reply, 0)
        except (struct.error, UnicodeDecodeError):
            at = -1
        if at != len(reply):
            self._broken("the reply about a photo makes no sense")
        return one

    def _take_text(self, data, at):
        (size,) = struct.unpack_from(self._order + "H", data, at)
        (text,) = struct.unpack_from(f"{size}s", data, at + 2)
        return text.decode("utf-8"), at + 2 + size

    def _take_photo(self, data, at):
        form = self._order + PHOTO_FORM
        one = dict(zip(PHOTO_FIELDS, struct.unpack_from(form, data, at)))
        one["ip"] = socket.inet_ntoa(one["ip"])
        one["name"], at = self._take_text(data, at + struct.calcsize(form))
        one["url"], at = self._take_text(data, at)
        return one, at

    def _take_album(self, data, at):
        albumid, made, photos = struct.unpack_from(self._order + "IQQ", data, at)
        name, at = self._take_text(data, at + 20)
        return {"albumid": albumid, "made": made, "photos": photos, "name": name}, at

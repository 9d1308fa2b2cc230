"""soak.py - a load of everything that clients do, and what must be true of each id.

A client knows of a picture what it was told: stored, or deleted.  Between a request and
its answer, and after an answer that never came, either may be; nothing else ever."""
import hashlib
import random
import struct
import threading
import time
import zlib

import fdfs
import package
import pictures
import web

KEPT, UNSURE, LATER, GONE = "kept", "unsure", "later", "gone"
MISSING = (404, 410)
BROKEN = (OSError, EOFError, fdfs.Closed, web.http.client.HTTPException)
CUT = struct.Struct("<I64sIIiiII")
CUT_ANSWER = struct.Struct("<I64s")
SIZES = (2_000, 2_000, 8_000, 20_000, 60_000, 400_000)
WORKERS = {"upload": 3, "plain": 2, "slave": 1, "appender": 1, "metadata": 1, "cut": 1,
           "get": 3, "delete_now": 1, "delete_later": 1, "delete_plain": 1}
SELDOM = {"delete_now": 6, "delete_later": 6, "delete_plain": 4}  # so much slower


class Wrong(Exception):
    """A promise was broken."""


class Item:
    """One id.  `bodies` are the contents that it may have: more than one only of an
    appender whose last change was not answered; none of a cut that nobody has read yet."""

    def __init__(self, file_id, kind, body=None, parent=None):
        self.id, self.kind, self.parent = file_id, kind, parent
        self.own_state = KEPT
        self.bodies = set() if body is None else {digest(body)}
        self.metadata = {b""}
        self.has_photo = False

    @property
    def state(self):
        """What was made from a picture goes with it."""
        states = {self.own_state, self.parent.state if self.parent else KEPT}
        return next(s for s in (GONE, LATER, UNSURE, KEPT) if s in states)

    def is_right(self, body):
        if not self.bodies:
            self.bodies = {digest(body)}
        return digest(body) in self.bodies


def digest(body):
    return hashlib.sha256(body).digest()


class Load:
    """`one` is an Installation that is up; `rate` is how many requests a second each worker
    makes at most."""

    def __init__(self, one, seed, rate):
        self.one, self.seed, self.rate = one, seed, rate
        self.key = one.token()
        self.lock = threading.Lock()
        self.items, self.by_id = [], {}
        self.done, self.failed = {}, {}
        self.wrong = []
        self.number = 0
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(name, n))
                        for name, count in WORKERS.items() for n in range(count)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join()

    def work(self, name, which):
        rng = random.Random(f"{self.seed} {name} {which}")
        turn = getattr(self, name)
        while not self.ending.wait(rng.expovariate(self.rate / SELDOM.get(name, 1))):
            try:
                outcome = self.done if turn(rng) else self.failed
            except BROKEN:
                outcome = self.failed
            except Wrong as wrong:
                self.tell(str(wrong))
                continue
            except Exception as error:  # pylint: disable=broad-exception-caught
                self.tell(f"{name}: {error!r}")
                continue
            with self.lock:
                outcome[name] = outcome.get(name, 0) + 1

    def tell(self, text):
        with self.lock:
            self.wrong.append(time.strftime("%H:%M:%S ") + text)

    # -- what is known

    def picture(self, rng):
        with self.lock:
            self.number += 1
            number = self.number
        size = rng.choice(SIZES)
        return pictures.with_comment(pictures.noisy(size, seed=size), number)

    def add(self, item):
        with self.lock:
            if item.id in self.by_id:
                if item.kind == "cut":  # asked for once more
                    return self.by_id[item.id]
                self.wrong.append(f"{item.id} was given out twice")
            self.by_id[item.id] = item
            self.items.append(item)
        return item

    def some(self, rng, good=lambda item: item.state == KEPT):
        """One of the known, rather a late one; None if there is none."""
        with self.lock:
            items = self.items[-2000:] if rng.random() < 0.7 else self.items
            for _ in range(20):
                if items and good(one := rng.choice(items)):
                    return one
        return None

    def storage(self, file_id):
        return fdfs.Client(self.one.storage[file_id[:3]], timeout=30)

    # -- what clients do: true if it was answered as they wish

    def upload(self, rng):
        body = self.picture(rng)
        answer = web.upload(self.one.varnish, self.key, body)
        if answer.status != 200:
            if answer.status < 500:
                raise Wrong(f"a good upload is refused: {answer}")
            return False
        self.add(Item(web.stored(answer), "picture", body)).has_photo = True
        return True

    def plain(self, rng):
        body = self.picture(rng) if rng.random() < 0.8 else rng.randbytes(rng.randrange(1, 9000))
        try:
            with fdfs.Client(self.one.storage[rng.choice(("g01", "g02"))]) as storage:
                self.add(Item(storage.upload(body), "picture", body))
        except fdfs.Failed:
            return False
        return True

    def slave(self, rng):
        master = self.some(rng, lambda item: item.state == KEPT and item.kind == "picture")
        if master is None:
            return False
        body = rng.randbytes(rng.randrange(1, 70_000))
        try:
            with self.storage(master.id) as storage:
                made = storage.upload_slave(master.id, f"_{rng.randrange(1 << 40):x}", body, "jpg")
        except fdfs.Failed as failure:
            if failure.status == fdfs.ENOENT and master.state == KEPT:
                raise Wrong(f"{master.id} is not there for its slave") from failure
            return False
        self.add(Item(made, "slave", body, master))
        return True

    def appender(self, rng):
        """One life of an appender; only this thread changes it."""
        with fdfs.Client(self.one.storage[rng.choice(("g01", "g02"))]) as storage:
            body = rng.randbytes(rng.randrange(1, 50_000))
            item = self.add(Item(storage.upload_appender(body), "appender", body))
            for _ in range(rng.randrange(6)):
                more, at = rng.randbytes(rng.randrange(1, 90_000)), rng.randrange(len(body) + 1)
                what = rng.choice(("append", "modify", "truncate"))
                changed = {"append": body + more, "truncate": body[:at],
                           "modify": body[:at] + more + body[at + len(more):]}[what]
                item.bodies = {digest(body), digest(changed)}
                if what == "append":
                    storage.append(item.id, more)
                elif what == "modify":
                    storage.modify(item.id, at, more)
                else:
                    storage.truncate(item.id, at)
                body = changed
                item.bodies = {digest(body)}
        return True

    def metadata(self, rng):
        item = self.some(rng, lambda item: item.state == KEPT and item.kind != "cut"
                         and len(item.metadata) == 1)
        if item is None:
            return False
        text = b"key\x02%x" % rng.randrange(1 << 60)
        old, item.metadata = item.metadata, item.metadata | {text}
        try:
            with self.storage(item.id) as storage:
                storage.set_metadata(item.id, text)
        except fdfs.Failed as failure:
            item.metadata = old if failure.status == fdfs.ENOENT else item.metadata
            if failure.status == fdfs.ENOENT and item.state == KEPT:
                raise Wrong(f"{item.id} is not there for its metadata") from failure
            return False
        item.metadata = {text}
        return True

    def cut(self, rng):
        source = self.some(rng, lambda item: item.state == KEPT and item.has_photo)
        if source is None:
            return False
        box = rng.randrange(10, 60)
        body = CUT.pack(7, source.id.encode(), 0, 0, 0, 0, box, box)
        with package.Caller(self.one.admin_proxy) as caller:
            caller.socket.sendall(package.package(package.CUT, body))
            _, _, _, ret, answer = caller.reply()
        if ret != package.OK:
            if ret in (3, 4) and source.state == KEPT:
                raise Wrong(f"{source.id} is not there to be cut: {ret}")
            return False
        made = CUT_ANSWER.unpack(answer)[1].rstrip(b"\0").decode()
        self.add(Item(made, "cut", None, source))
        return True

    def get(self, rng):
        item = self.some(rng, lambda item: True)
        if item is None:
            return False
        before = item.state
        seen = self.look(item, rng.choice(("varnish", "varnish", "lighttpd", "fdfs")))
        if seen is None:
            return False
        if before == GONE and seen[0] == "there":
            raise Wrong(f"{item.id} is served, {seen[1]} bytes, though it is deleted")
        if before == KEPT == item.state and seen[0] == "missing":
            raise Wrong(f"{item.kind} {item.id} is not there: {seen[1]}")
        return True

    def delete_now(self, rng):
        items = {i.id: i for _ in range(rng.randrange(1, 5))
                 if (i := self.some(rng, lambda i: i.state == KEPT and i.kind in ("picture", "cut")))}
        for item in items.values():
            item.own_state = UNSURE
        with package.Caller(self.one.admin_proxy) as caller:
            ret = caller.delete_now(list(items))
        if ret != package.OK:
            return False
        for item in items.values():
            item.own_state = GONE
        return True

    def delete_later(self, rng):
        items = {i.id: i for _ in range(rng.randrange(1, 5))
                 if (i := self.some(rng, lambda i: i.state == KEPT and i.kind == "picture"))}
        for item in items.values():
            item.own_state = UNSURE
        with package.Caller(rng.choice((self.one.admin_proxy, *self.one.del_svr))) as caller:
            ret = caller.delete_later(list(items))
        if ret != package.OK:
            return False
        for item in items.values():
            item.own_state = LATER
        return True

    def delete_plain(self, rng):
        """As FastDFS clients delete: the caches are not told, so that only what no cache
        keeps is deleted in this way."""
        item = self.some(rng, lambda item: item.kind == "appender" and item.state == KEPT
                         and len(item.bodies) == 1)
        if item is None:
            return False
        item.own_state = UNSURE
        with self.storage(item.id) as storage:
            try:
                storage.delete(item.id)
            except fdfs.Failed as failure:
                if failure.status == fdfs.ENOENT:
                    raise Wrong(f"{item.id} is not there to be deleted") from failure
                return False
        item.own_state = GONE
        return True

    # -- what is served

    def look(self, item, door):
        """("there", its size), ("missing", why), or None: no answer.  Wrong bytes are Wrong."""
        if door == "fdfs":
            with self.storage(item.id) as storage:
                try:
                    body = storage.download(item.id)
                except fdfs.Failed as failure:
                    if failure.status == fdfs.ENOENT:
                        return "missing", failure.status
                    if failure.status == 5:
                        raise Wrong(f"{item.id} is damaged") from failure
                    return None
        else:
            answer = web.get(getattr(self.one, door), "/" + item.id)
            if answer.status in MISSING:
                return "missing", answer.status
            if answer.status != 200:
                if answer.status < 500:
                    raise Wrong(f"{item.id} at {door}: {answer}")
                return None
            body = answer.body
            if len(body) != int(answer.headers.get("Content-Length", len(body))):
                return None
        if item.kind == "appender":
            # Another thread may be changing it: at the end it is looked at once more.
            if self.ending.is_set() and not item.is_right(body):
                raise Wrong(f"{item.id} at {door} has other bytes than it was given")
        elif not item.is_right(body):
            raise Wrong(f"{item.id} at {door}: wrong bytes, {len(body)} of CRC {zlib.crc32(body):08x}")
        return "there", len(body)

"""checks.py - at the end of a soak: is all as the clients were told?"""
import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import fdfs
import package
import pictures
import web
from photos import DELETED, EVERY_STATE, STORED, Photos
from service import Picstore
from soak import BROKEN, GONE, KEPT, LATER, MISSING, UNSURE, Wrong
from wait import until

DOORS = ("varnish", "lighttpd", "fdfs")
AT_ONCE = 6


class Checks:
    def __init__(self, load):
        self.load, self.one = load, load.one
        self.counts = Counter()
        self.receipts = {}

    def wrong(self, text):
        self.load.wrong.append(text)

    def settle(self):
        """Wait until everything is up, and what was to be deleted has had its time."""
        one = self.one
        for part in parts(one):
            until(lambda part=part: one.state(part)[:2] == (True, True), f"{part} is ready", 120)
        picture = pictures.drawn(seed=self.load.seed)
        answer = until(lambda: tried(web.upload, one.varnish, self.load.key, picture),
                       "uploads are taken", 60)
        last = web.stored(answer)
        until(lambda: tried(web.get, one.varnish, "/" + last), "what was stored is served")
        with package.Caller(one.del_svr[0]) as caller:
            assert caller.delete_later([last]) == package.OK
        # The log keeps its order: when this one is deleted the others have been tried.
        until(lambda: web.get(one.varnish, "/" + last).status in MISSING, "the last delete is done", 120)
        until(lambda: one.picstore("receipt", "--outstanding", "--json", check=False).stdout == "",
              "no receipt is open", 120)
        for item in self.load.items:
            if item.own_state == LATER:
                item.own_state = GONE

    def read_receipts(self):
        """Those of all that somebody wanted deleted: what has one is deleted."""
        wanted = [i.id for i in self.load.items if i.own_state != KEPT and i.kind in ("picture", "cut")]
        for at in range(0, len(wanted), 100):
            out = self.one.picstore("receipt", "--json", *wanted[at:at + 100], check=False).stdout
            for line in out.splitlines():
                receipt = json.loads(line)
                self.receipts.setdefault(receipt["id"], []).append(receipt)
        told = {place["picture"] for many in self.receipts.values() for one in many
                for place in one["places"] if "picture" in place}
        for item in self.load.items:
            if item.own_state == UNSURE and item.kind in ("picture", "cut"):
                # Asked for and not answered: a receipt tells how it went.
                item.own_state = GONE if item.id in self.receipts or item.id in told else KEPT
                self.counts["deletes that were not answered"] += 1
            elif item.own_state == GONE and item.kind in ("picture", "cut") and \
                    item.id not in self.receipts and item.id not in told:
                self.wrong(f"{item.id} is deleted and has no receipt")

    def check_receipts(self):
        """Every receipt is closed, every place confirmed, and no cache has a copy."""
        places = set()
        for many in self.receipts.values():
            for receipt in many:
                self.counts["receipts"] += 1
                if not receipt["closed"] or not all(p["confirmed"] for p in receipt["places"]):
                    self.wrong(f"outstanding: {receipt}")
                places |= {p["picture"] for p in receipt["places"] if p.get("picture")}
        ids = sorted(i for i in places if "/" in i)
        self.counts["pictures in receipts"] = len(ids)
        for port in (self.one.varnish, self.one.lighttpd):
            for file_id, status in zip(ids, web.statuses(port, ids)):
                if status not in MISSING:
                    self.wrong(f"{file_id} has a receipt and is served: {status} at port {port}")

    def check_item(self, item):
        state, seen = item.state, set()
        for door in DOORS:
            try:
                found = until(lambda door=door: self.load.look(item, door), f"{item.id} at {door}", 20)
            except (Wrong, AssertionError, *BROKEN) as wrong:
                self.wrong(repr(wrong))
                return
            seen.add(found[0])
        expected = {KEPT: {"there"}, GONE: {"missing"}}.get(state)
        if (expected is None and len(seen) != 1) or (expected is not None and seen != expected):
            self.wrong(f"{item.kind} {item.id} is {state} and {seen} in {DOORS}")
        self.counts[f"{item.kind}: {state}"] += 1
        if state == KEPT and item.metadata != {b""}:
            self.check_metadata(item)

    def check_metadata(self, item):
        with self.load.storage(item.id) as storage:
            try:
                text = storage.metadata(item.id)
            except fdfs.Failed as failure:
                text = b"" if failure.status == fdfs.ENOENT else repr(failure).encode()
        self.counts["with metadata"] += 1
        if text not in item.metadata:
            self.wrong(f"metadata of {item.id} is {text}, not {item.metadata}")

    def check_photos(self):
        client = Picstore("127.0.0.1", self.one.base + 81)
        rows, after, more = {}, 0, True
        while more:
            more, page = Photos(client).page(after=after, states=EVERY_STATE)
            rows.update((row["url"], row["state"]) for row in page)
            after = page[-1]["photoid"] if page else 0
        client.close()
        for item in self.load.items:
            wanted = {KEPT: STORED, GONE: DELETED}.get(item.state)
            if item.has_photo and wanted is not None and rows.get(item.id) != wanted:
                self.wrong(f"the photo of {item.id}, which is {item.state}, is {rows.get(item.id)}")
        self.counts["photos"] = len(rows)

    def check_volumes(self):
        """What nobody was told of is whole as well, and fsck finds nothing."""
        known = {item.id for item in self.load.items}
        unanswered = sorted(set(self.one.listed()) - known)
        self.counts["pictures of uploads without an answer"] = len(unanswered)
        for file_id, status in zip(unanswered, web.statuses(self.one.lighttpd, unanswered)):
            if status != 200:
                self.wrong(f"{file_id} is listed and answers {status}")
        fsck = self.one.picstore("fsck", check=False)
        if fsck.returncode != 0:
            self.wrong("fsck: " + fsck.stdout + fsck.stderr)

    def run(self):
        started = time.monotonic()
        self.settle()
        self.read_receipts()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self.check_item, self.load.items))
        self.check_receipts()
        self.check_photos()
        self.check_volumes()
        self.counts["seconds of checking"] = round(time.monotonic() - started)


def tried(ask, *words):
    """The answer if it is 200.  A server that was just killed breaks a connection."""
    try:
        answer = ask(*words)
    except BROKEN:
        return None
    return answer if answer.status == 200 else None


def parts(one):
    return sorted(p.name for p in (one.home / "run/service").iterdir()
                  if p.is_dir() and not p.name.startswith("."))

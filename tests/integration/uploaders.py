"""uploaders.py - sixteen clients that upload without end, and one that deletes; what they
were told, and whether it was true."""
import collections
import http.client
import itertools
import threading
import time

import pictures
import web
from wait import until

BROKEN = (OSError, EOFError, http.client.HTTPException)
COUNT = 16
PAUSE_S = 0.05  # after a failure
DELETE_EVERY_S = 0.3


class Uploaders:
    """On `one`, an Installation.  A picture's bytes follow from its number."""

    def __init__(self, one, size=20_000):
        self.one, self.key = one, one.token()
        self.base = pictures.noisy(size, seed=7)
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.acks = []  # (when, id, number)
        self.failures = []  # (when, word)
        self.deleted, self.unsure = set(), set()
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.upload_on) for _ in range(COUNT)]
        self.threads.append(threading.Thread(target=self.delete_on))

    def __enter__(self):
        self.started = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join()

    def picture(self, number):
        return pictures.with_comment(self.base, number)

    def upload_on(self):
        while not self.ending.is_set():
            with self.lock:
                number = next(self.numbers)
            try:
                answer = web.upload(self.one.varnish, self.key, self.picture(number))
                word = "" if answer.status == 200 else f"{answer.status} {answer.json()['error']}"
            except BROKEN + (ValueError, KeyError) as failure:
                word = type(failure).__name__
            with self.lock:
                if word:
                    self.failures.append((time.monotonic(), word))
                else:
                    self.acks.append((time.monotonic(), web.stored(answer), number))
            if word:
                self.ending.wait(PAUSE_S)

    def delete_on(self):
        for turn in itertools.count():
            if self.ending.wait(DELETE_EVERY_S):
                return
            with self.lock:
                if not self.acks:
                    continue
                file_id = self.acks[turn * 7919 % len(self.acks)][1]
                if file_id in self.unsure:
                    continue
                # Whatever comes of it, it may be gone from now on.
                self.unsure.add(file_id)
            if self.one.picstore("rm", file_id, check=False).returncode == 0:
                self.deleted.add(file_id)

    def take(self):
        """An acknowledged picture that is the caller's: nobody deletes it."""
        with self.lock:
            file_id = next(one for _, one, _ in reversed(self.acks) if one not in self.unsure)
            self.unsure.add(file_id)
        return file_id

    # -- what was seen

    def count(self):
        return len(self.acks)

    def wait_for(self, more, limit_s=60):
        """Until so many more uploads have been acknowledged."""
        before = self.count()
        until(lambda: self.count() >= before + more, f"{more} more uploads", limit_s)

    def words(self, since=0.0):
        return collections.Counter(word for when, word in list(self.failures) if when >= since)

    def report(self, name, since):
        """A line about the time since then: the longest without an acknowledgement, and the failures."""
        now = time.monotonic()
        times = [since] + [when for when, _, _ in list(self.acks) if when >= since] + [now]
        gap = max(b - a for a, b in itertools.pairwise(times))
        failed = ", ".join(f"{count} x {word}" for word, count in sorted(self.words(since).items()))
        print(f"{name}: {now - since:.1f} s, {len(times) - 2} acknowledged, longest gap {gap:.1f} s, "
              f"failed: {failed or 'none'}", flush=True)

    # -- was it true?

    def kept(self):
        """{id: number} of what has to be there."""
        return {file_id: number for _, file_id, number in self.acks if file_id not in self.unsure}

    def wrong(self, port):
        """What is not as it was told, read at this port; a list of sentences."""
        todo = [(file_id, number) for file_id, number in self.kept().items()] + [(one, None) for one in self.deleted]
        found, lock = [], threading.Lock()

        def check(part):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            for file_id, number in part:
                connection.request("GET", "/" + file_id)
                answer = connection.getresponse()
                body = answer.read()
                good = (answer.status in (404, 410)) if number is None else (
                    answer.status == 200 and body == self.picture(number))
                if not good:
                    with lock:
                        found.append(f"{file_id}: {answer.status}, {len(body)} bytes, was to be "
                                     + ("gone" if number is None else f"number {number}"))
            connection.close()
        threads = [threading.Thread(target=check, args=(todo[i::8],)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

"""hostile.py - attackers, the client that they must not disturb, and what they may cost."""
import contextlib
import http.client
import os
import pathlib
import random
import socket
import struct
import threading
import time

import fdfs
import frames

SEED = int(os.environ.get("PICSTORE_SEED", random.SystemRandom().randrange(1 << 32)))
# The long form: 10,000 connections and ten times as much of everything else.
LONG = bool(os.environ.get("PICSTORE_FLOODS"))
FLOOD = 10_000 if LONG else 2_000
PATIENCE_S = 60
# A sanitizer keeps freed memory for a while: what a program takes then says nothing.
MEMORY_COUNTS = "ASAN_OPTIONS" not in os.environ


def seeded(what):
    print(f"PICSTORE_SEED={SEED}")
    return random.Random(f"{SEED} {what}")


def tree(pid):
    """The process and all that descend from it."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in task.read_text().split():
                found += tree(int(child))
        except OSError:
            pass
    return found


def memory_kb(pid):
    """Of the process and its children, what is theirs alone or shared with files counted once each."""
    total = 0
    for one in tree(pid):
        try:
            for line in pathlib.Path(f"/proc/{one}/status").read_text().splitlines():
                if line.startswith(("RssAnon:", "RssShmem:")):
                    total += int(line.split()[1])
        except OSError:
            pass  # a child that has ended
    return total


class Polite:
    """A well-behaved client that does `act()` again and again, from a thread.  When it is
    closed on it tries again, as clients do: with ten thousand new connections a second some
    are replaced before they have said a word."""

    def __init__(self, act):
        self.act, self.times, self.failure, self.repeats = act, [], None, 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stopped.is_set():
            start = time.monotonic()
            try:
                self.act_or_repeat()
            except Exception as error:  # pylint: disable=broad-except
                self.failure = error
                return
            self.times.append(time.monotonic() - start)

    def act_or_repeat(self):
        for _ in range(3):
            try:
                return self.act()
            except (ConnectionError, fdfs.Closed, frames.Closed, http.client.HTTPException):
                self.repeats += 1
        return self.act()

    def served(self):
        return len(self.times)

    def p99_ms(self):
        return 1000 * sorted(self.times)[len(self.times) * 99 // 100]


@contextlib.contextmanager
def besieged(name, pid, act, most_kb):
    """While the block attacks, `act` goes on and the process keeps within its memory."""
    act()
    before, most = memory_kb(pid), 0
    polite = Polite(act)
    polite.thread.start()
    watched = threading.Event()

    def watch():
        nonlocal most
        while not watched.wait(0.05):
            most = max(most, memory_kb(pid))
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield polite
    finally:
        polite.stopped.set()
        polite.thread.join()
        most = max(most, memory_kb(pid))
        watched.set()
        watcher.join()
    assert polite.failure is None, f"{name}: the polite client failed: {polite.failure!r}"
    assert polite.served() > 0
    print(f"{name}: {polite.served()} polite requests ({polite.repeats} repeated), "
          f"p99 {polite.p99_ms():.1f} ms, "
          f"memory {before} kB and at most {most - before:+} kB")
    assert most - before < most_kb or not MEMORY_COUNTS, f"{name}: {most - before} kB more, over {most_kb}"
    assert pathlib.Path(f"/proc/{pid}").exists(), f"{name} has died"


def drain(sock, limit=1 << 26):
    """Read what comes until the other side closes."""
    count = 0
    try:
        while count < limit and (data := sock.recv(65536)):
            count += len(data)
    except ConnectionError:
        pass
    return count


def say_and_go(connect, data):
    """Send it all, end, and wait for the other side's end."""
    with connect() as sock:
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has heard enough
        drain(sock)


def pour(connect, first, piece, limit):
    """Send `first`, then `piece` for ever, reading nothing: until the other side closes, takes no
    more, or `limit` bytes.  Returns how many it took."""
    count = 0
    with connect() as sock:
        sock.settimeout(1)
        try:
            sock.sendall(first)
            while count < limit:
                count += sock.send(piece)
        except OSError:  # closed, or a second without taking anything
            pass
    return count


def foreign_words():
    """The first words of other protocols, and of ours at the wrong door."""
    hello = bytes.fromhex("160301002f0100002b0303") + bytes(32) + bytes.fromhex("000002c02f0100")
    return [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", hello, b"SSH-2.0-x\r\n",
        b"*1\r\n$4\r\nPING\r\n", b"EHLO x\r\n", b"\x05\x01\x00", b"\x04\x01\x00\x50\x7f\0\0\x01\0",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", bytes.fromhex("0000000804d2162f"),
        fdfs.package(fdfs.ACTIVE_TEST), fdfs.package(fdfs.STORE), frames.package(frames.CUT, bytes(92)),
        struct.pack(">BBHHBB", 1, 1, 1, 8, 0, 0) + bytes(8), b"\0" * 4096, b"\xff" * 4096, b"\n" * 4096,
    ]


class Flood:
    """Many connections at once, each of which says `first` and then nothing."""

    def __init__(self, connect, count, first=b""):
        self.socks = []
        for _ in range(count):
            try:
                sock = connect()
                self.socks.append(sock)
                if first:
                    sock.sendall(first)
            except OSError:
                pass  # refused, or closed for another
        self.count = len(self.socks)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in self.socks:
            sock.close()

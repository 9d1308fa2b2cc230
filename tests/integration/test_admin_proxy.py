"""admin_proxy with back ends that work, die, hang and lie."""
import itertools
import os
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import fdfs
import frames
import pictures
from frames import CUT, DELETE_LATER, DELETE_NOW, METADATA, PING, SESSION, BackEnd, package
from proxy import Proxy, free_port
from service import Service
from wait import until


@pytest.fixture
def services():
    made = []

    def make(*args):
        made.append(Service(*args))
        return made[-1]
    yield make
    for service in made:
        service.remove()


@pytest.fixture
def make():
    """make.back_end(...), make.proxy(pools, ...): gone after the test."""
    made = []

    class Make:
        @staticmethod
        def back_end(*args, **more):
            made.append(BackEnd(*args, **more).stop)
            return made[-1].__self__

        @staticmethod
        def proxy(pools, settings=None, services=None):
            one = Proxy(pools, settings, services)
            made.append(one.remove)
            return one.start()
    yield Make
    for remove in reversed(made):
        remove()


def silent(*_):
    """Takes a request and never answers."""


def ask_many(client, cmd, count, first=0):
    """Send them all, then read all replies, in whatever order: {seq: (ret, body)}."""
    sent = b"".join(package(cmd, b"body %d" % seq, seq * 3, seq)
                    for seq in range(first, first + count))
    threading.Thread(target=client.sock.sendall, args=(sent,), daemon=True).start()
    replies = {}
    for _ in range(count):
        got, user, seq, ret, body = client.read()
        assert got == cmd and user == seq * 3 and seq not in replies
        replies[seq] = ret, body
    assert set(replies) == set(range(first, first + count))
    return replies


def test_each_command_goes_to_its_service(make):
    pools = {"cut_svr": CUT, "del_svr": DELETE_LATER, "cs_del_svr": DELETE_NOW,
             "sess_check_svr": SESSION, "metadata_dbsvr": METADATA}
    back_ends = {name: make.back_end() for name in pools}
    proxy = make.proxy({name: [one] for name, one in back_ends.items()}).wait_in(5)
    with proxy.client() as client:
        for name, cmd in pools.items():
            assert client.ask(cmd, name.encode(), 7, 0xFFFFFFFF) == (0, name.encode())
            assert [r[0] for r in back_ends[name].requests] == [cmd]
        assert client.ask(PING) == (0, b"")
        assert client.ask(3003, b"whatever") == (frames.UNSUPPORTED, b"")
        assert client.ask(CUT) == (0, b"")  # the stream goes on


def test_a_service_without_back_ends_is_unsupported(make):
    proxy = make.proxy({})
    with proxy.client() as client:
        assert client.ask(CUT) == (frames.UNSUPPORTED, b"")


def test_many_clients_with_the_same_seqs_get_their_own_replies(make):
    """Replies overtake each other; every client numbers its requests alike."""
    def late(own, sock, cmd, user, seq, body):
        if seq % 3 == 0:
            threading.Timer(0.02, lambda: sock.sendall(package(cmd, body, user, seq))).start()
        else:
            sock.sendall(package(cmd, body, user, seq))
    proxy = make.proxy({"cut_svr": [make.back_end(late), make.back_end(late)]}).wait_in(2)

    def client(number):
        with proxy.client() as one:
            for turn in range(5):
                for seq in range(20):
                    one.send(CUT, b"%d %d %d" % (number, turn, seq), number, seq)
                got = [one.read() for _ in range(20)]
                assert sorted(got) == [(CUT, number, seq, 0, b"%d %d %d" % (number, turn, seq))
                                       for seq in range(20)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(client, range(16)))
    assert proxy.figure("in_flight") == 0


def test_back_ends_share_the_work(make):
    two = [make.back_end(), make.back_end()]
    proxy = make.proxy({"cut_svr": two}).wait_in(2)
    with proxy.client() as client:
        for seq in range(100):
            assert client.ask(CUT, b"", 1, seq)[0] == 0
    assert all(len(one.requests) == 50 for one in two)


def test_packages_cut_anywhere_and_glued_together(make):
    proxy = make.proxy({"cut_svr": [make.back_end()]}).wait_in(1)
    data = package(CUT, b"abc", 1, 1) + package(PING, b"", 1, 2) + package(CUT, b"", 1, 3)
    with proxy.client() as client:
        for cut in range(1, len(data)):
            client.sock.sendall(data[:cut])
            time.sleep(0.001)
            client.sock.sendall(data[cut:])
            assert sorted(client.read()[2] for _ in range(3)) == [1, 2, 3]


def test_bad_packages_from_clients(make):
    proxy = make.proxy({"cut_svr": [make.back_end()]}, services={"max_package": "4K"}).wait_in(1)
    with proxy.client() as client:  # shorter than its header
        client.sock.sendall(struct.pack("<IHIII", 17, CUT, 1, 1, 0))
        assert client.sock.recv(100) == b""
    with proxy.client() as client:  # too long
        client.sock.sendall(struct.pack("<IHIII", 1 << 31, CUT, 1, 9, 0))
        assert client.read() == (CUT, 1, 9, frames.TOO_LARGE, b"")
        assert client.sock.recv(100) == b""
    with proxy.client() as client:  # half a package, then gone
        client.sock.sendall(package(CUT, b"x" * 100)[:50])
    with proxy.client() as client:
        assert client.ask(CUT, b"fine") == (0, b"fine")


def test_dead_at_the_start_and_in_when_it_comes(make):
    there, gone = make.back_end(), make.back_end()
    gone.stop()
    proxy = make.proxy({"cut_svr": [there, gone]}).wait_in(1)
    with proxy.client() as client:
        assert all(ret == 0 for ret, _ in ask_many(client, CUT, 50).values())
    make.back_end(port=gone.port)
    proxy.wait_in(2)


def test_nobody_there(make):
    gone = make.back_end()
    gone.stop()
    proxy = make.proxy({"cut_svr": [gone]})
    with proxy.client() as client:
        assert client.ask(CUT) == (frames.SERVICE_DOWN, b"")
        begin = time.monotonic()
        assert client.ask(CUT) == (frames.SERVICE_DOWN, b"")
        assert time.monotonic() - begin < 0.5  # known by now
        assert client.ask(PING)[0] == 0


def test_a_request_waits_for_a_service_that_is_being_restarted(make):
    one = make.back_end()
    proxy = make.proxy({"sess_check_svr": [one]}, {"queue_time": "10s"}).wait_in(1)
    one.stop()
    until(lambda: proxy.figure("backends_up") == 0, "it is out")
    with proxy.client() as client:
        client.send(SESSION, b"key", 1, 5)
        until(lambda: proxy.figure("queued") == 1, "it waits")
        make.back_end(port=one.port)
        assert client.read() == (SESSION, 1, 5, 0, b"key")


@pytest.mark.parametrize("cmd, name, repeats", [
    (CUT, "cut_svr", True), (DELETE_LATER, "del_svr", True), (DELETE_NOW, "cs_del_svr", True),
    (SESSION, "sess_check_svr", False), (METADATA, "metadata_dbsvr", False)])
def test_dies_with_the_request(make, cmd, name, repeats):
    """What may be repeated goes to the other one; of the rest the outcome is unknown."""
    def dies(own, *_):
        own.stop()
    # The one that dies is asked first or second; both ways nothing is sent twice there.
    bad, good = make.back_end(dies), make.back_end()
    proxy = make.proxy({name: [bad, good]}).wait_in(2)
    with proxy.client() as client:
        results = [client.ask(cmd, b"x", 1, seq) for seq in range(4)]
    assert len(bad.requests) == 1
    if repeats:
        assert results == [(0, b"x")] * 4
        assert len(good.requests) == 4
    else:
        assert sorted(results) == [(0, b"x")] * 3 + [(frames.UNKNOWN, b"")]
        assert len(good.requests) == 3


def test_one_that_never_answers_is_taken_out(make):
    hung = make.back_end(silent, pings=False)
    good = make.back_end()
    proxy = make.proxy({"cut_svr": [hung, good]}).wait_in(1)
    with proxy.client() as client:
        assert all(ret == 0 for ret, _ in ask_many(client, CUT, 50).values())
    assert not hung.requests


def test_one_that_stops_answering_is_taken_out_and_its_requests_are_rescued(make):
    def hang(own, *_):
        own.pings = False
    bad, good = make.back_end(hang), make.back_end()
    proxy = make.proxy({"cut_svr": [bad, good]}).wait_in(2)
    with proxy.client() as client:
        replies = ask_many(client, CUT, 40)
    assert all(reply == (0, b"body %d" % seq) for seq, reply in replies.items())
    assert "does not answer a check" in proxy.log()
    assert proxy.figure("repeated") >= 1


def test_one_that_answers_checks_only(make):
    proxy = make.proxy({"sess_check_svr": [make.back_end(silent)]},
                       {"sess_check_svr_timeout": "200ms"}).wait_in(1)
    with proxy.client() as client:
        for seq in range(3):
            assert client.ask(SESSION, b"", 1, seq) == (frames.UNKNOWN, b"")
    assert "answers no request in time" in proxy.log()


def test_connections_that_carry_nothing_are_kept(make, services):
    """Services close who never says anything; the proxy says something on each."""
    back_end = make.back_end()
    make.proxy({"cut_svr": [back_end]}, {"connections": 4})
    until(lambda: len(back_end.socks) == 5 and back_end.pinged == back_end.socks,
          "a ping came on the check's connection and on every other")
    service = services("sess_check_svr", "[services]\ntimeout = 300ms\n"
                       "[sess_check_svr]\nfolder = {scratch}/sessions\n").start()
    make.proxy({"sess_check_svr": [f"127.0.0.1:{service.port}"]}, {"connections": 4}).wait_in(1)
    with service.dial() as silent_one:
        assert silent_one.recv(1) == b"", "closed, and later than the others would have been"
    until(lambda: "silent for too long" in service.log(), "a line for that")
    assert service.log().count("silent for too long") == 1, service.log()


def test_replies_that_never_come_do_not_use_a_back_end_up(make):
    def forgetful(own, sock, cmd, user, seq, body):
        if body != b"lost":
            sock.sendall(package(cmd, body, user, seq))
    proxy = make.proxy({"sess_check_svr": [make.back_end(forgetful)]},
                       {"sess_check_svr_timeout": "100ms", "server_in_flight": 4}).wait_in(1)
    with proxy.client() as client:
        for seq in range(8):
            assert client.ask(SESSION, b"lost", 1, seq) == (frames.UNKNOWN, b"")
            assert until(lambda: client.ask(SESSION, b"kept")[0] == 0, "it answers again")
    assert "owes" in proxy.log()


def test_a_reply_that_comes_too_late_is_nobodys(make):
    held = []

    def late(own, sock, cmd, user, seq, body):
        held.append(lambda: sock.sendall(package(cmd, b"late", user, seq)))
    proxy = make.proxy({"sess_check_svr": [make.back_end(late)]},
                       {"sess_check_svr_timeout": "200ms"}).wait_in(1)
    with proxy.client() as client:
        assert client.ask(SESSION, b"", 1, 5) == (frames.UNKNOWN, b"")
        held.pop()()
        until(lambda: proxy.figure("late") == 1, "the late reply is passed over")
        client.send(SESSION, b"", 1, 6)
        until(lambda: held, "the next request")
        held.pop()()
        assert client.read() == (SESSION, 1, 6, 0, b"late")


@pytest.mark.parametrize("lie", [
    lambda cmd, user, seq: b"HTTP/1.1 400 Bad Request\r\n\r\n",
    lambda cmd, user, seq: package(cmd, b"", user, seq + 1),
    lambda cmd, user, seq: package(cmd + 1, b"", user, seq),
    lambda cmd, user, seq: package(cmd, b"", user, 0xFFFFFFFF),
    lambda cmd, user, seq: struct.pack("<IHIII", 17, cmd, user, seq, 0),
    lambda cmd, user, seq: struct.pack("<IHIII", 1 << 30, cmd, user, seq, 0) + b"x" * 1000,
    lambda cmd, user, seq: os.urandom(500),
], ids=["http", "other seq", "other command", "made-up seq", "too short", "too long", "noise"])
def test_lies_are_no_replies(make, lie):
    def lies(own, sock, cmd, user, seq, body):
        sock.sendall(lie(cmd, user, seq))
    bad, good = make.back_end(lies), make.back_end()
    proxy = make.proxy({"cut_svr": [bad, good], "sess_check_svr": [bad]}).wait_in(3)
    with proxy.client() as client:
        for seq in range(6):
            assert client.ask(CUT, b"true", 5, seq) == (0, b"true")
        assert client.ask(SESSION, b"", 5, 1) == (frames.UNKNOWN, b"")


def test_a_reply_that_is_sent_twice_counts_once(make):
    def twice(own, sock, cmd, user, seq, body):
        sock.sendall(package(cmd, body, user, seq) * 2)
    proxy = make.proxy({"cut_svr": [make.back_end(twice)]}).wait_in(1)
    with proxy.client() as client:
        assert client.ask(CUT, b"one", 5, 1) == (0, b"one")
        client.sock.settimeout(0.3)
        with pytest.raises(socket.timeout):
            client.read()


def test_a_busy_one_is_passed_over(make):
    def busy(own, sock, cmd, user, seq, body):
        sock.sendall(package(cmd, b"", user, seq, frames.BUSY))
    proxy = make.proxy({"sess_check_svr": [make.back_end(busy), make.back_end()]}).wait_in(2)
    with proxy.client() as client:
        for seq in range(10):
            assert client.ask(SESSION, b"k", 1, seq) == (0, b"k")


def test_codes_of_back_ends_come_through(make):
    def code(own, sock, cmd, user, seq, body):
        sock.sendall(package(cmd, b"", user, seq, int(body)))
    proxy = make.proxy({"cut_svr": [make.back_end(code)]}).wait_in(1)
    with proxy.client() as client:
        for ret in (1, 3, 10, 24, 4711, 0xFFFFFFFF):
            assert client.ask(CUT, b"%d" % ret) == (ret, b"")


def test_a_full_queue_is_busy(make):
    proxy = make.proxy({"cut_svr": [make.back_end(silent)], "sess_check_svr": [make.back_end()]},
                       {"server_in_flight": 4, "queue": 3, "queue_time": "30s"}).wait_in(2)
    with proxy.client() as client:
        for seq in range(10):
            client.send(CUT, b"", 1, seq)
        assert sorted(client.read()[2:4] for _ in range(3)) == [(seq, frames.BUSY)
                                                                for seq in (7, 8, 9)]
        assert client.ask(SESSION, b"", 1, 99)[0] == 0  # other services go on
    assert proxy.figure("queued") == 3


def test_a_client_with_too_many_requests_is_not_read_further(make):
    one = make.back_end(silent)
    proxy = make.proxy({"cut_svr": [one]}, {"client_in_flight": 8}).wait_in(1)
    with proxy.client() as client, proxy.client() as other:
        client.sock.sendall(b"".join(package(CUT, b"", 1, seq) for seq in range(50)))
        until(lambda: len(one.requests) == 8, "8 requests are under way")
        assert other.ask(PING)[0] == 0
        assert len(one.requests) == 8 and proxy.figure("in_flight") == 8


def test_more_than_may_be_in_flight_of_all(make):
    proxy = make.proxy({"cut_svr": [make.back_end()]}, {"in_flight": 16}).wait_in(1)

    def client(number):
        with proxy.client() as one:
            return ask_many(one, CUT, 300)
    with ThreadPoolExecutor(8) as pool:
        for replies in pool.map(client, range(8)):
            assert all(reply == (0, b"body %d" % seq) for seq, reply in replies.items())


def test_clients_that_do_not_take_replies_do_not_fill_the_memory(make):
    body = b"r" * 500_000

    def big(own, sock, cmd, user, seq, _):
        sock.sendall(package(cmd, body, user, seq))
    proxy = make.proxy({"cut_svr": [make.back_end(big)]}, {"memory": "4M"}).wait_in(1)
    before = proxy.memory_kb()
    slow = [proxy.client() for _ in range(6)]
    for client in slow:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for seq in range(40):
            client.send(CUT, b"", 1, seq)
    until(lambda: proxy.figure("broken") >= 1, "one of them is closed")
    with proxy.client() as client:
        assert client.ask(CUT) == (0, body)
    assert proxy.memory_kb() - before < 60_000
    for client in slow:
        client.close()


def test_a_thousand_idle_clients(make):
    proxy = make.proxy({"cut_svr": [make.back_end()]}).wait_in(1)
    before = proxy.memory_kb()
    idle = [proxy.client() for _ in range(1000)]
    for client in idle:
        assert client.ask(CUT, b"hello") == (0, b"hello")
    assert proxy.memory_kb() - before < 10_000
    for client in idle[::100]:
        assert client.ask(CUT, b"again") == (0, b"again")
    for client in idle:
        client.close()
    until(lambda: proxy.figure("connections") == 0, "all have gone")


def test_one_client_too_many_takes_the_place_of_an_idle_one(make):
    proxy = make.proxy({}, {"max_connections": 3})
    clients = [proxy.client() for _ in range(3)]
    assert all(client.ask(PING)[0] == 0 for client in clients)
    with proxy.client() as client:
        assert client.ask(PING)[0] == 0
    assert sum(client.sock.recv(1) == b"" for client in clients[:1]) == 1, "the oldest"
    for client in clients:
        client.close()


def test_with_all_at_work_one_client_too_many_is_refused(make):
    proxy = make.proxy({"cut_svr": [make.back_end(silent)]}, {"max_connections": 3}).wait_in(1)
    clients = [proxy.client() for _ in range(3)]
    for client in clients:
        client.send(CUT)
    until(lambda: proxy.figure("in_flight") == 3, "all are at work")
    with proxy.client() as client:
        assert client.sock.recv(1) == b""
    for client in clients:
        client.close()


def test_who_may_send_what(make):
    one = make.back_end()
    proxy = make.proxy({"cut_svr": [one], "cs_del_svr": [one]},
                       {"allow": "127.9.9.9", "cut_svr_allow": "127.0.0.1"}).wait_in(2)
    with proxy.client() as client:
        assert client.ask(CUT)[0] == 0
        assert client.ask(DELETE_NOW) == (frames.NOT_ALLOWED, b"")
        proxy.reload(cut_svr_allow="127.9.9.9")
        assert client.ask(CUT) == (frames.NOT_ALLOWED, b"")  # takes effect at once
    with proxy.client() as client:
        try:
            assert client.sock.recv(1) == b""
        except ConnectionError:
            pass
    assert "on no list" in proxy.log()


def test_a_reload_drops_nothing(make):
    """Clients keep asking over their connections while back ends come and go."""
    three = [make.back_end() for _ in range(3)]
    proxy = make.proxy({"cut_svr": three}).wait_in(3)
    stop = threading.Event()

    def client(_):
        with proxy.client() as one:
            for seq in itertools.count():
                if stop.is_set():
                    return seq
                assert one.ask(CUT, b"x", 1, seq % 1000) == (0, b"x")
    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(client, n) for n in range(4)]
        for turn in range(9):
            proxy.reload({"cut_svr": [three[turn % 3], three[(turn + 1) % 3]]})
            proxy.wait_in(2)
        stop.set()
        assert all(result.result() > 10 for result in results)
    figures = proxy.figures()
    assert figures["failed"] == 0 and figures["broken"] == 0


def test_a_back_end_that_is_taken_off_the_list_finishes_what_it_has(make):
    held = []

    def hold(own, sock, cmd, user, seq, body):
        held.append(lambda: sock.sendall(package(cmd, b"done", user, seq)))
    old, new = make.back_end(hold), make.back_end()
    proxy = make.proxy({"sess_check_svr": [old]}).wait_in(1)
    with proxy.client() as client:
        client.send(SESSION, b"", 1, 1)
        until(lambda: held, "it has the request")
        proxy.reload({"sess_check_svr": [new]})
        proxy.wait_in(1)
        assert client.ask(SESSION, b"new", 1, 2) == (0, b"new")
        held.pop()()
        assert client.read() == (SESSION, 1, 1, 0, b"done")
    until(lambda: not old.socks, "the old one is left")


def test_wrong_settings_at_a_reload_change_nothing(make):
    proxy = make.proxy({"cut_svr": [make.back_end()]}).wait_in(1)
    proxy.settings["in_flight"] = "many"
    proxy.configure()
    proxy.process.send_signal(signal.SIGHUP)
    until(lambda: "stays as it was" in proxy.log(), "it says so")
    with proxy.client() as client:
        assert client.ask(CUT)[0] == 0


def test_it_answers_what_it_has_before_it_stops(make):
    held = []

    def hold(own, sock, cmd, user, seq, body):
        held.append(lambda: sock.sendall(package(cmd, b"done", user, seq)))
    proxy = make.proxy({"cut_svr": [make.back_end(hold)]}).wait_in(1)
    with proxy.client() as client:
        client.send(CUT, b"", 1, 1)
        until(lambda: held, "it has the request")
        proxy.process.send_signal(signal.SIGTERM)
        until(lambda: "stopping" in proxy.log(), "it stops")
        held.pop()()
        assert client.read() == (CUT, 1, 1, 0, b"done")
    assert proxy.process.wait(10) == 0


def test_it_stops_though_a_back_end_never_answers(make):
    one = make.back_end(silent)
    proxy = make.proxy({"cut_svr": [one]}).wait_in(1)
    with proxy.client() as client:
        client.send(CUT, b"", 1, 1)
        until(lambda: one.requests, "it has the request")
        proxy.process.send_signal(signal.SIGTERM)
        assert client.read()[3] == frames.UNKNOWN
    assert proxy.process.wait(10) == 0


def test_back_ends_killed_under_load(make):
    """Two of them, in turn, four times; every request that may be repeated is answered."""
    ports = {name: make.back_end() for name in "ab"}
    proxy = make.proxy({"cs_del_svr": list(ports.values())}, {"queue_time": "10s"}).wait_in(2)
    stop = threading.Event()

    def client(number):
        with proxy.client() as one:
            for turn in itertools.count():
                if stop.is_set():
                    return turn
                replies = ask_many(one, DELETE_NOW, 20, first=turn * 20)
                assert all(r == (0, b"body %d" % s) for s, r in replies.items()), replies
    with ThreadPoolExecutor(6) as pool:
        results = [pool.submit(client, n) for n in range(6)]
        for name in "abab":
            ports[name].stop()
            until(lambda: proxy.figure("backends_up") == 1, "it is out")
            ports[name] = make.back_end(port=ports[name].port)
            proxy.wait_in(2)
        stop.set()
        assert all(result.result() > 0 for result in results)
    assert proxy.figure("failed") == 0


def test_two_proxies_in_front_of_the_same_back_ends(make):
    two = [make.back_end(), make.back_end()]
    proxies = [make.proxy({"cut_svr": two}).wait_in(2) for _ in range(2)]

    def client(proxy):
        with proxy.client() as one:
            return ask_many(one, CUT, 300)
    with ThreadPoolExecutor(4) as pool:
        for replies in pool.map(client, proxies * 2):
            assert all(reply == (0, b"body %d" % seq) for seq, reply in replies.items())
    proxies[0].stop(signal.SIGKILL)
    assert all(ret == 0 for ret, _ in client(proxies[1]).values())


def test_big_endian(make):
    """Only the header is the proxy's; callers and back ends agree on the rest."""
    seen = []

    def answer(sock):
        while True:
            try:
                length, cmd, user, seq, _ = struct.unpack(">IHIII", frames.read_exactly(sock, 18))
                body = frames.read_exactly(sock, length - 18)
            except (frames.Closed, OSError):
                return
            if cmd != PING:
                seen.append((cmd, user, body))
            sock.sendall(struct.pack(">IHIII", length, cmd, user, seq, 0) + body)
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(sock,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    proxy = make.proxy({"cut_svr": [f"127.0.0.1:{listener.getsockname()[1]}"]},
                       services={"byte_order": "big"}).wait_in(1)
    with proxy.client() as client:
        client.sock.sendall(struct.pack(">IHIII", 21, CUT, 7, 8, 0) + b"abc")
        assert frames.read_exactly(client.sock, 21) == (
            struct.pack(">IHIII", 21, CUT, 7, 8, 0) + b"abc")
    assert seen == [(CUT, 7, b"abc")]
    listener.close()


def test_a_back_end_at_a_unix_socket_and_one_with_a_name(make):
    named = make.back_end()
    proxy = make.proxy({"cut_svr": [f"localhost:{named.port}"]}).wait_in(1)
    path = str(proxy.folder / "back.sock")
    local = make.back_end()
    threading.Thread(target=forward, args=(path, local.port), daemon=True).start()
    proxy.reload({"cut_svr": [f"unix:{path}"]})
    proxy.wait_in(1)
    with proxy.client() as client:
        assert client.ask(CUT, b"x") == (0, b"x")
    assert local.requests


def test_real_services_killed_under_load(own):
    """kill -9 of each, through the proxy that stands in front of them."""
    with fdfs.Client(own.storage["g01"]) as storage:
        source = storage.upload(pictures.drawn()).encode()
    key = own.token().encode()
    look = struct.pack("<HH", 1, len(key)) + key
    stop = threading.Event()
    parts = [f"cut_svr-{port}" for port in own.cut_svr] + ["sess_check_svr"]

    def client(number):
        seen = []
        with frames.Client(own.admin_proxy) as one:
            for turn in itertools.count():
                if stop.is_set():
                    return seen
                body = struct.pack("<I64sIIiiII", 7, source, 0, 0, 0, 0, 20 + turn % 9, 30 + number)
                ret, answer = one.ask(CUT, body, number, turn)
                assert ret == 0 and len(answer) == 68, ret
                seen.append(one.ask(SESSION, look, number, turn)[0])
    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(client, n) for n in range(4)]
        for part in parts * 2:
            own.kill(part)
        stop.set()
        seen = [ret for result in results for ret in result.result()]
    assert set(seen) <= {0, frames.UNKNOWN, frames.SERVICE_DOWN} and seen.count(0) > 10
    with frames.Client(own.admin_proxy) as one:
        assert until(lambda: one.ask(SESSION, look)[0] == 0, "all is well again")


def test_the_proxy_killed_under_load(own):
    """Its clients connect again and go on."""
    killed = threading.Event()

    def client(number):
        breaks = 0
        while not (killed.is_set() and breaks):
            try:
                with frames.Client(own.admin_proxy) as one:
                    while True:
                        ret, _ = one.ask(frames.DELETE_LATER, struct.pack("<I", 0), number)
                        assert ret in (0, 1, frames.UNKNOWN, frames.SERVICE_DOWN), ret
            except (OSError, frames.Closed):
                breaks += 1
                time.sleep(0.01)
        return breaks
    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(client, n) for n in range(4)]
        own.kill_at_once("admin_proxy")
        killed.set()
        assert all(result.result() >= 1 for result in results)
    with until(lambda: reachable(own.admin_proxy), "it is back") as one:
        assert one.ask(PING)[0] == 0


def reachable(port):
    try:
        return frames.Client(port)
    except OSError:
        return None


def forward(path, port):
    """A unix socket whose connections go to `port`."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(8)

    def copy(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
    while True:
        one, _ = listener.accept()
        two = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=copy, args=(one, two), daemon=True).start()
        threading.Thread(target=copy, args=(two, one), daemon=True).start()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A folder: ca.pem, and key and certificate of a server, a client and a stranger."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    for ca in ("ca", "strange-ca"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={ca}",
                "-keyout", f"{ca}.key", "-out", f"{ca}.pem", "-days", "2")
    for name, ca in (("server", "ca"), ("client", "ca"), ("stranger", "strange-ca")):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
                "-addext", "subjectAltName=DNS:localhost", "-keyout", f"{name}.key",
                "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key",
                "-CAcreateserial", "-copy_extensions", "copy", "-out", f"{name}.pem", "-days", "2")
    return folder


def tls_settings(folder, port, client_ca=True):
    return {"tls_listen": f"127.0.0.1:{port}", "tls_certificate": folder / "server.pem",
            "tls_key": folder / "server.key",
            "tls_client_ca": folder / "ca.pem" if client_ca else ""}


def tls_client(folder, port, name=None, version=None):
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    if name:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    if version:
        context.minimum_version = context.maximum_version = version
    return frames.Client(port, wrap=lambda sock: context.wrap_socket(
        sock, server_hostname="localhost"))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_with_client_certificates(make, certificates, version):
    port = free_port()
    proxy = make.proxy({"cut_svr": [make.back_end()]},
                       tls_settings(certificates, port)).wait_in(1)
    with tls_client(certificates, port, "client", version) as client:
        assert client.ask(CUT, b"secret") == (0, b"secret")
        big = bytes(range(256)) * 3000
        assert client.ask(CUT, big) == (0, big)
        for first in range(0, 4000, 200):  # one thread alone may use a TLS socket of Python's
            client.sock.sendall(b"".join(package(CUT, b"%d" % seq, 1, seq)
                                         for seq in range(first, first + 200)))
            replies = [client.read() for _ in range(200)]
            assert sorted(replies) == [(CUT, 1, seq, 0, b"%d" % seq)
                                       for seq in range(first, first + 200)]
    for name in (None, "stranger"):
        with pytest.raises((ssl.SSLError, frames.Closed, ConnectionError)):
            with tls_client(certificates, port, name, version) as client:
                client.ask(CUT)
    with frames.Client(port) as client:  # no TLS at all
        client.send(CUT)
        with pytest.raises((frames.Closed, ConnectionError, AssertionError)):
            assert client.read() is None
    with proxy.client() as client:
        assert client.ask(CUT)[0] == 0


def test_tls_bytes_one_by_one(make, certificates):
    """Through a relay that cuts everything anywhere."""
    port = free_port()
    make.proxy({"cut_svr": [make.back_end()]},
               tls_settings(certificates, port, client_ca=False)).wait_in(1)
    relay = socket.create_server(("127.0.0.1", 0))

    def copy(a, b):
        try:
            while data := a.recv(65536):
                for byte in range(len(data)):
                    b.sendall(data[byte:byte + 1])
        except OSError:
            pass

    def run():
        one, _ = relay.accept()
        two = socket.create_connection(("127.0.0.1", port))
        for sock in (one, two):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=copy, args=(two, one), daemon=True).start()
        copy(one, two)
    threading.Thread(target=run, daemon=True).start()
    with tls_client(certificates, relay.getsockname()[1]) as client:
        for seq in range(5):
            assert client.ask(CUT, b"x" * 50, 1, seq) == (0, b"x" * 50)
    relay.close()


def test_tls_noise_and_silence(make, certificates):
    port = free_port()
    proxy = make.proxy({"cut_svr": [make.back_end()]}, tls_settings(certificates, port),
                       {"timeout": "500ms"}).wait_in(1)
    noisy = [frames.Client(port) for _ in range(20)]
    for client in noisy:
        client.sock.sendall(os.urandom(300))
    silent_ones = [frames.Client(port) for _ in range(20)]
    until(lambda: proxy.figure("connections") == 0, "they are closed")
    with tls_client(certificates, port, "client") as client:
        assert client.ask(CUT)[0] == 0
    for client in noisy + silent_ones:
        client.close()


def test_certificates_are_read_again_at_a_reload(make, certificates, tmp_path):
    port = free_port()
    settings = tls_settings(certificates, port)
    proxy = make.proxy({"cut_svr": [make.back_end()]}, settings).wait_in(1)
    with tls_client(certificates, port, "client") as client:
        assert client.ask(CUT)[0] == 0
        proxy.reload(tls_client_ca=certificates / "strange-ca.pem")
        assert client.ask(CUT)[0] == 0  # nobody is dropped
        with tls_client(certificates, port, "stranger") as other:
            assert other.ask(CUT)[0] == 0
        proxy.settings["tls_key"] = tmp_path / "nothing.key"
        proxy.configure()
        proxy.process.send_signal(signal.SIGHUP)
        until(lambda: "stays as it was" in proxy.log(), "it says so")
        assert client.ask(CUT)[0] == 0


def test_a_key_that_others_may_read_is_refused(make, certificates, tmp_path):
    key = tmp_path / "open.key"
    key.write_bytes((certificates / "server.key").read_bytes())
    key.chmod(0o644)
    settings = {**tls_settings(certificates, free_port()), "tls_key": key}
    with pytest.raises(AssertionError, match="may be used by others"):
        make.proxy({}, settings)

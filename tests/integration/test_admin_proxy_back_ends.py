"""admin_proxy with back ends that die, hang, lie and come back."""
import itertools
import os
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import fdfs
import frames
import pictures
from frames import CUT, DELETE_LATER, DELETE_NOW, METADATA, PING, SESSION, package
from proxy import ask_many, silent
from wait import until


def test_dead_at_the_start_and_in_when_it_comes(proxies):
    there, gone = proxies.back_end(), proxies.back_end()
    gone.stop()
    proxy = proxies.proxy({"cut_svr": [there, gone]}).wait_in(1)
    with proxy.client() as client:
        assert all(ret == 0 for ret, _ in ask_many(client, CUT, 50).values())
    proxies.back_end(port=gone.port)
    proxy.wait_in(2)


def test_nobody_there(proxies):
    gone = proxies.back_end()
    gone.stop()
    proxy = proxies.proxy({"cut_svr": [gone]})
    with proxy.client() as client:
        assert client.ask(CUT) == (frames.SERVICE_DOWN, b"")
        begin = time.monotonic()
        assert client.ask(CUT) == (frames.SERVICE_DOWN, b"")
        assert time.monotonic() - begin < 0.5  # known by now
        assert client.ask(PING)[0] == 0


def test_a_request_waits_for_a_service_that_is_being_restarted(proxies):
    one = proxies.back_end()
    proxy = proxies.proxy({"sess_check_svr": [one]}, {"queue_time": "10s"}).wait_in(1)
    one.stop()
    until(lambda: proxy.figure("backends_up") == 0, "it is out")
    with proxy.client() as client:
        client.send(SESSION, b"key", 1, 5)
        until(lambda: proxy.figure("queued") == 1, "it waits")
        proxies.back_end(port=one.port)
        assert client.read() == (SESSION, 1, 5, 0, b"key")


@pytest.mark.parametrize("cmd, name, repeats", [
    (CUT, "cut_svr", True), (DELETE_LATER, "del_svr", True), (DELETE_NOW, "cs_del_svr", True),
    (SESSION, "sess_check_svr", False), (METADATA, "metadata_dbsvr", False)])
def test_dies_with_the_request(proxies, cmd, name, repeats):
    """What may be repeated goes to the other one; of the rest the outcome is unknown."""
    def dies(own, *_):
        own.stop()
    # The one that dies is asked first or second; both ways nothing is sent twice there.
    bad, good = proxies.back_end(dies), proxies.back_end()
    proxy = proxies.proxy({name: [bad, good]}).wait_in(2)
    with proxy.client() as client:
        results = [client.ask(cmd, b"x", 1, seq) for seq in range(4)]
    assert len(bad.requests) == 1
    if repeats:
        assert results == [(0, b"x")] * 4
        assert len(good.requests) == 4
    else:
        assert sorted(results) == [(0, b"x")] * 3 + [(frames.UNKNOWN, b"")]
        assert len(good.requests) == 3


def test_one_that_never_answers_is_taken_out(proxies):
    hung = proxies.back_end(silent, pings=False)
    good = proxies.back_end()
    proxy = proxies.proxy({"cut_svr": [hung, good]}).wait_in(1)
    with proxy.client() as client:
        assert all(ret == 0 for ret, _ in ask_many(client, CUT, 50).values())
    assert not hung.requests


def test_one_that_stops_answering_is_taken_out_and_its_requests_are_rescued(proxies):
    def hang(own, *_):
        own.pings = False
    bad, good = proxies.back_end(hang), proxies.back_end()
    proxy = proxies.proxy({"cut_svr": [bad, good]}).wait_in(2)
    with proxy.client() as client:
        replies = ask_many(client, CUT, 40)
    assert all(reply == (0, b"body %d" % seq) for seq, reply in replies.items())
    assert "does not answer a check" in proxy.log()
    assert proxy.figure("repeated") >= 1


def test_one_that_answers_checks_only(proxies):
    proxy = proxies.proxy({"sess_check_svr": [proxies.back_end(silent)]},
                       {"sess_check_svr_timeout": "200ms"}).wait_in(1)
    with proxy.client() as client:
        for seq in range(3):
            assert client.ask(SESSION, b"", 1, seq) == (frames.UNKNOWN, b"")
    assert "answers no request in time" in proxy.log()


def test_connections_that_carry_nothing_are_kept(proxies, services):
    """Services close who never says anything; the proxy says something on each."""
    back_end = proxies.back_end()
    proxies.proxy({"cut_svr": [back_end]}, {"connections": 4})
    until(lambda: len(back_end.socks) == 5 and back_end.pinged == back_end.socks,
          "a ping came on the check's connection and on every other")
    service = services("sess_check_svr", "[services]\ntimeout = 300ms\n"
                       "[sess_check_svr]\nfolder = {scratch}/sessions\n").start()
    proxies.proxy({"sess_check_svr": [f"127.0.0.1:{service.port}"]}, {"connections": 4}).wait_in(1)
    with service.dial() as silent_one:
        assert silent_one.recv(1) == b"", "closed, and later than the others would have been"
    until(lambda: "silent for too long" in service.log(), "a line for that")
    assert service.log().count("silent for too long") == 1, service.log()


def test_replies_that_never_come_do_not_use_a_back_end_up(proxies):
    def forgetful(own, sock, cmd, user, seq, body):
        if body != b"lost":
            sock.sendall(package(cmd, body, user, seq))
    proxy = proxies.proxy({"sess_check_svr": [proxies.back_end(forgetful)]},
                       {"sess_check_svr_timeout": "100ms", "server_in_flight": 4}).wait_in(1)
    with proxy.client() as client:
        for seq in range(8):
            assert client.ask(SESSION, b"lost", 1, seq) == (frames.UNKNOWN, b"")
            assert until(lambda: client.ask(SESSION, b"kept")[0] == 0, "it answers again")
    assert "owes" in proxy.log()


def test_a_reply_that_comes_too_late_is_nobodys(proxies):
    held = []

    def late(own, sock, cmd, user, seq, body):
        held.append(lambda: sock.sendall(package(cmd, b"late", user, seq)))
    proxy = proxies.proxy({"sess_check_svr": [proxies.back_end(late)]},
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
def test_lies_are_no_replies(proxies, lie):
    def lies(own, sock, cmd, user, seq, body):
        sock.sendall(lie(cmd, user, seq))
    bad, good = proxies.back_end(lies), proxies.back_end()
    proxy = proxies.proxy({"cut_svr": [bad, good], "sess_check_svr": [bad]}).wait_in(3)
    with proxy.client() as client:
        for seq in range(6):
            assert client.ask(CUT, b"true", 5, seq) == (0, b"true")
        assert client.ask(SESSION, b"", 5, 1) == (frames.UNKNOWN, b"")


def test_a_reply_that_is_sent_twice_counts_once(proxies):
    def twice(own, sock, cmd, user, seq, body):
        sock.sendall(package(cmd, body, user, seq) * 2)
    proxy = proxies.proxy({"cut_svr": [proxies.back_end(twice)]}).wait_in(1)
    with proxy.client() as client:
        assert client.ask(CUT, b"one", 5, 1) == (0, b"one")
        client.sock.settimeout(0.3)
        with pytest.raises(socket.timeout):
            client.read()


def test_a_busy_one_is_passed_over(proxies):
    def busy(own, sock, cmd, user, seq, body):
        sock.sendall(package(cmd, b"", user, seq, frames.BUSY))
    proxy = proxies.proxy({"sess_check_svr": [proxies.back_end(busy), proxies.back_end()]}).wait_in(2)
    with proxy.client() as client:
        for seq in range(10):
            assert client.ask(SESSION, b"k", 1, seq) == (0, b"k")


def test_codes_of_back_ends_come_through(proxies):
    def code(own, sock, cmd, user, seq, body):
        sock.sendall(package(cmd, b"", user, seq, int(body)))
    proxy = proxies.proxy({"cut_svr": [proxies.back_end(code)]}).wait_in(1)
    with proxy.client() as client:
        for ret in (1, 3, 10, 24, 4711, 0xFFFFFFFF):
            assert client.ask(CUT, b"%d" % ret) == (ret, b"")


def test_back_ends_killed_under_load(proxies):
    """Two of them, in turn, four times; every request that may be repeated is answered."""
    ports = {name: proxies.back_end() for name in "ab"}
    proxy = proxies.proxy({"cs_del_svr": list(ports.values())}, {"queue_time": "10s"}).wait_in(2)
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
            ports[name] = proxies.back_end(port=ports[name].port)
            proxy.wait_in(2)
        stop.set()
        assert all(result.result() > 0 for result in results)
    assert proxy.figure("failed") == 0


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

"""admin_proxy with more requests, bytes and clients than it takes."""
import socket
from concurrent.futures import ThreadPoolExecutor

import frames
from frames import CUT, PING, SESSION, package
from proxy import ask_many, silent
from wait import until


def test_a_full_queue_is_busy(proxies):
    proxy = proxies.proxy({"cut_svr": [proxies.back_end(silent)], "sess_check_svr": [proxies.back_end()]},
                       {"server_in_flight": 4, "queue": 3, "queue_time": "30s"}).wait_in(2)
    with proxy.client() as client:
        for seq in range(10):
            client.send(CUT, b"", 1, seq)
        assert sorted(client.read()[2:4] for _ in range(3)) == [(seq, frames.BUSY)
                                                                for seq in (7, 8, 9)]
        assert client.ask(SESSION, b"", 1, 99)[0] == 0  # other services go on
    assert proxy.figure("queued") == 3


def test_a_client_with_too_many_requests_is_not_read_further(proxies):
    one = proxies.back_end(silent)
    proxy = proxies.proxy({"cut_svr": [one]}, {"client_in_flight": 8}).wait_in(1)
    with proxy.client() as client, proxy.client() as other:
        client.sock.sendall(b"".join(package(CUT, b"", 1, seq) for seq in range(50)))
        until(lambda: len(one.requests) == 8, "8 requests are under way")
        assert other.ask(PING)[0] == 0
        assert len(one.requests) == 8 and proxy.figure("in_flight") == 8


def test_more_than_may_be_in_flight_of_all(proxies):
    proxy = proxies.proxy({"cut_svr": [proxies.back_end()]}, {"in_flight": 16}).wait_in(1)

    def client(number):
        with proxy.client() as one:
            return ask_many(one, CUT, 300)
    with ThreadPoolExecutor(8) as pool:
        for replies in pool.map(client, range(8)):
            assert all(reply == (0, b"body %d" % seq) for seq, reply in replies.items())


def test_clients_that_do_not_take_replies_do_not_fill_the_memory(proxies):
    body = b"r" * 500_000

    def big(own, sock, cmd, user, seq, _):
        sock.sendall(package(cmd, body, user, seq))
    proxy = proxies.proxy({"cut_svr": [proxies.back_end(big)]}, {"memory": "4M"}).wait_in(1)
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


def test_a_thousand_idle_clients(proxies):
    proxy = proxies.proxy({"cut_svr": [proxies.back_end()]}).wait_in(1)
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


def test_one_client_too_many_takes_the_place_of_an_idle_one(proxies):
    proxy = proxies.proxy({}, {"max_connections": 3})
    clients = [proxy.client() for _ in range(3)]
    assert all(client.ask(PING)[0] == 0 for client in clients)
    with proxy.client() as client:
        assert client.ask(PING)[0] == 0
    assert sum(client.sock.recv(1) == b"" for client in clients[:1]) == 1, "the oldest"
    for client in clients:
        client.close()


def test_with_all_at_work_one_client_too_many_is_refused(proxies):
    proxy = proxies.proxy({"cut_svr": [proxies.back_end(silent)]}, {"max_connections": 3}).wait_in(1)
    clients = [proxy.client() for _ in range(3)]
    for client in clients:
        client.send(CUT)
    until(lambda: proxy.figure("in_flight") == 3, "all are at work")
    with proxy.client() as client:
        assert client.sock.recv(1) == b""
    for client in clients:
        client.close()

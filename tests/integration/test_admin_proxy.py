"""admin_proxy: requests go to their services and replies come back; reloads and stops."""
import itertools
import signal
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import frames
from frames import CUT, DELETE_LATER, DELETE_NOW, METADATA, PING, SESSION, package
from proxy import ask_many, forward, silent
from wait import until


def test_each_command_goes_to_its_service(proxies):
    pools = {"cut_svr": CUT, "del_svr": DELETE_LATER, "cs_del_svr": DELETE_NOW,
             "sess_check_svr": SESSION, "metadata_dbsvr": METADATA}
    back_ends = {name: proxies.back_end() for name in pools}
    proxy = proxies.proxy({name: [one] for name, one in back_ends.items()}).wait_in(5)
    with proxy.client() as client:
        for name, cmd in pools.items():
            assert client.ask(cmd, name.encode(), 7, 0xFFFFFFFF) == (0, name.encode())
            assert [r[0] for r in back_ends[name].requests] == [cmd]
        assert client.ask(PING) == (0, b"")
        assert client.ask(3003, b"whatever") == (frames.UNSUPPORTED, b"")
        assert client.ask(CUT) == (0, b"")  # the stream goes on


def test_a_service_without_back_ends_is_unsupported(proxies):
    proxy = proxies.proxy({})
    with proxy.client() as client:
        assert client.ask(CUT) == (frames.UNSUPPORTED, b"")


def test_many_clients_with_the_same_seqs_get_their_own_replies(proxies):
    """Replies overtake each other; every client numbers its requests alike."""
    def late(own, sock, cmd, user, seq, body):
        if seq % 3 == 0:
            threading.Timer(0.02, lambda: sock.sendall(package(cmd, body, user, seq))).start()
        else:
            sock.sendall(package(cmd, body, user, seq))
    proxy = proxies.proxy({"cut_svr": [proxies.back_end(late), proxies.back_end(late)]}).wait_in(2)

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


def test_back_ends_share_the_work(proxies):
    two = [proxies.back_end(), proxies.back_end()]
    proxy = proxies.proxy({"cut_svr": two}).wait_in(2)
    with proxy.client() as client:
        for seq in range(100):
            assert client.ask(CUT, b"", 1, seq)[0] == 0
    assert all(len(one.requests) == 50 for one in two)


def test_packages_cut_anywhere_and_glued_together(proxies):
    proxy = proxies.proxy({"cut_svr": [proxies.back_end()]}).wait_in(1)
    data = package(CUT, b"abc", 1, 1) + package(PING, b"", 1, 2) + package(CUT, b"", 1, 3)
    with proxy.client() as client:
        for cut in range(1, len(data)):
            client.sock.sendall(data[:cut])
            time.sleep(0.001)
            client.sock.sendall(data[cut:])
            assert sorted(client.read()[2] for _ in range(3)) == [1, 2, 3]


def test_bad_packages_from_clients(proxies):
    proxy = proxies.proxy({"cut_svr": [proxies.back_end()]}, services={"max_package": "4K"}).wait_in(1)
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


def test_who_may_send_what(proxies):
    one = proxies.back_end()
    proxy = proxies.proxy({"cut_svr": [one], "cs_del_svr": [one]},
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


def test_a_reload_drops_nothing(proxies):
    """Clients keep asking over their connections while back ends come and go."""
    three = [proxies.back_end() for _ in range(3)]
    proxy = proxies.proxy({"cut_svr": three}).wait_in(3)
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


def test_a_back_end_that_is_taken_off_the_list_finishes_what_it_has(proxies):
    held = []

    def hold(own, sock, cmd, user, seq, body):
        held.append(lambda: sock.sendall(package(cmd, b"done", user, seq)))
    old, new = proxies.back_end(hold), proxies.back_end()
    proxy = proxies.proxy({"sess_check_svr": [old]}).wait_in(1)
    with proxy.client() as client:
        client.send(SESSION, b"", 1, 1)
        until(lambda: held, "it has the request")
        proxy.reload({"sess_check_svr": [new]})
        proxy.wait_in(1)
        assert client.ask(SESSION, b"new", 1, 2) == (0, b"new")
        held.pop()()
        assert client.read() == (SESSION, 1, 1, 0, b"done")
    until(lambda: not old.socks, "the old one is left")


def test_wrong_settings_at_a_reload_change_nothing(proxies):
    proxy = proxies.proxy({"cut_svr": [proxies.back_end()]}).wait_in(1)
    proxy.settings["in_flight"] = "many"
    proxy.configure()
    proxy.process.send_signal(signal.SIGHUP)
    until(lambda: "stays as it was" in proxy.log(), "it says so")
    with proxy.client() as client:
        assert client.ask(CUT)[0] == 0


def test_it_answers_what_it_has_before_it_stops(proxies):
    held = []

    def hold(own, sock, cmd, user, seq, body):
        held.append(lambda: sock.sendall(package(cmd, b"done", user, seq)))
    proxy = proxies.proxy({"cut_svr": [proxies.back_end(hold)]}).wait_in(1)
    with proxy.client() as client:
        client.send(CUT, b"", 1, 1)
        until(lambda: held, "it has the request")
        proxy.process.send_signal(signal.SIGTERM)
        until(lambda: "stopping" in proxy.log(), "it stops")
        held.pop()()
        assert client.read() == (CUT, 1, 1, 0, b"done")
    assert proxy.process.wait(10) == 0


def test_it_stops_though_a_back_end_never_answers(proxies):
    one = proxies.back_end(silent)
    proxy = proxies.proxy({"cut_svr": [one]}).wait_in(1)
    with proxy.client() as client:
        client.send(CUT, b"", 1, 1)
        until(lambda: one.requests, "it has the request")
        proxy.process.send_signal(signal.SIGTERM)
        assert client.read()[3] == frames.UNKNOWN
    assert proxy.process.wait(10) == 0


def test_two_proxies_in_front_of_the_same_back_ends(proxies):
    two = [proxies.back_end(), proxies.back_end()]
    proxies = [proxies.proxy({"cut_svr": two}).wait_in(2) for _ in range(2)]

    def client(proxy):
        with proxy.client() as one:
            return ask_many(one, CUT, 300)
    with ThreadPoolExecutor(4) as pool:
        for replies in pool.map(client, proxies * 2):
            assert all(reply == (0, b"body %d" % seq) for seq, reply in replies.items())
    proxies[0].stop(signal.SIGKILL)
    assert all(ret == 0 for ret, _ in client(proxies[1]).values())


def test_big_endian(proxies):
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
    proxy = proxies.proxy({"cut_svr": [f"127.0.0.1:{listener.getsockname()[1]}"]},
                       services={"byte_order": "big"}).wait_in(1)
    with proxy.client() as client:
        client.sock.sendall(struct.pack(">IHIII", 21, CUT, 7, 8, 0) + b"abc")
        assert frames.read_exactly(client.sock, 21) == (
            struct.pack(">IHIII", 21, CUT, 7, 8, 0) + b"abc")
    assert seen == [(CUT, 7, b"abc")]
    listener.close()


def test_a_back_end_at_a_unix_socket_and_one_with_a_name(proxies):
    named = proxies.back_end()
    proxy = proxies.proxy({"cut_svr": [f"localhost:{named.port}"]}).wait_in(1)
    path = str(proxy.folder / "back.sock")
    local = proxies.back_end()
    threading.Thread(target=forward, args=(path, local.port), daemon=True).start()
    proxy.reload({"cut_svr": [f"unix:{path}"]})
    proxy.wait_in(1)
    with proxy.client() as client:
        assert client.ask(CUT, b"x") == (0, b"x")
    assert local.requests


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

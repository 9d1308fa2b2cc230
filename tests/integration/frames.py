"""frames.py - framed packages as raw bytes, a client, and back ends that behave as told."""
import socket
import struct
import threading

HEADER = struct.Struct("<IHIII")
DELETE_LATER, CUT, DELETE_NOW, PING, SESSION, METADATA = 3002, 3005, 3030, 0x10B0, 0x10B5, 0x10C0
OK, TOO_LARGE, BUSY, NOT_ALLOWED, UNKNOWN, SERVICE_DOWN, UNSUPPORTED = 0, 6, 8, 9, 11, 25, 15
LIMIT_S = 20


def package(cmd, body=b"", user=10001, seq=1, ret=0):
    return HEADER.pack(HEADER.size + len(body), cmd, user, seq, ret) + body


class Closed(Exception):
    pass


def read_exactly(sock, size):
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise Closed
        data += more
    return data


def read_package(sock):
    """(cmd, user, seq, ret, body)"""
    length, cmd, user, seq, ret = HEADER.unpack(read_exactly(sock, HEADER.size))
    return cmd, user, seq, ret, read_exactly(sock, length - HEADER.size)


class Client:
    def __init__(self, port, wrap=None):
        self.sock = socket.create_connection(("127.0.0.1", port), LIMIT_S)
        self.sock.settimeout(LIMIT_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if wrap is not None:
            self.sock = wrap(self.sock)

    def send(self, *args, **more):
        self.sock.sendall(package(*args, **more))

    def read(self):
        return read_package(self.sock)

    def ask(self, cmd, body=b"", user=10001, seq=1):
        """(ret, body), having checked that the rest came back untouched."""
        self.send(cmd, body, user, seq)
        reply = self.read()
        assert reply[:3] == (cmd, user, seq), reply
        return reply[3], reply[4]

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


class BackEnd:
    """A server of framed packages on a free port.

    `answer(back_end, sock, cmd, user, seq, body)` is called for each request but pings,
    in a thread per connection; the default sends the body back.  With `pings` False
    pings are not answered either."""

    def __init__(self, answer=None, port=0, pings=True):
        self.answer = answer or (lambda own, sock, cmd, user, seq, body: sock.sendall(
            package(cmd, body, user, seq)))
        self.pings = pings
        self.requests = []  # (cmd, user, seq, body)
        self.lock = threading.Lock()
        self.socks = set()
        self.pinged = set()  # those of them that a ping came on
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(128)
        self.port = self.listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.socks.add(sock)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        try:
            while True:
                cmd, user, seq, _, body = read_package(sock)
                if cmd != PING:
                    with self.lock:
                        self.requests.append((cmd, user, seq, body))
                    self.answer(self, sock, cmd, user, seq, body)
                elif self.pings:
                    self.pinged.add(sock)
                    sock.sendall(package(cmd, b"", user, seq))
        except (OSError, Closed):
            pass
        finally:
            with self.lock:
                self.socks.discard(sock)
                self.pinged.discard(sock)
            sock.close()

    def hang_up(self):
        """Close all connections, as a process that is killed does."""
        with self.lock:
            for sock in self.socks:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.hang_up()

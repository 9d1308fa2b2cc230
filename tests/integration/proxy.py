"""proxy.py - an admin_proxy by itself, with back ends of the test's own."""
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from frames import Client, package
from installation import BUILD
from wait import until

PROGRAM = BUILD / "src/programs/admin_proxy/admin_proxy"
NAMES = ("cut_svr", "del_svr", "cs_del_svr", "sess_check_svr", "metadata_dbsvr")
# Quick, so that tests need not wait.
FAST = {"check_interval": "100ms", "check_timeout": "300ms", "connect_timeout": "300ms",
        "queue_time": "1s"}


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


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


class Proxy:
    """`pools` are {service: [back ends or addresses]}."""

    def __init__(self, pools, settings=None, services=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="picstore-proxy-"))
        self.conf = self.folder / "picstore.conf"
        self.output = self.folder / "log"
        self.port = free_port()
        self.pools, self.settings, self.services = pools, dict(settings or {}), services or {}
        self.configure()
        self.process = None

    def configure(self, pools=None, **settings):
        self.pools = pools or self.pools
        self.settings.update(settings)
        lines = ["[picstore]", "run_dir = run", "secret_dir = secret", "[services]"]
        lines += [f"{key} = {value}" for key, value in self.services.items()]
        lines += ["[admin_proxy]", f"listen = 127.0.0.1:{self.port}"]
        lines += [f"{key} = {value}" for key, value in {**FAST, **self.settings}.items()]
        for name in NAMES:
            servers = [getattr(one, "address", one) for one in self.pools.get(name, [])]
            lines.append(f"{name} = {' '.join(servers) or 'none'}")
        self.conf.write_text("\n".join(lines) + "\n")

    def start(self):
        with open(self.output, "ab") as out:
            self.process = subprocess.Popen([PROGRAM, "-c", self.conf], stderr=out, stdout=out,
                                            stdin=subprocess.DEVNULL, cwd=self.folder)
        until(lambda: "ready" in self.log() or self.process.poll() is not None, "ready")
        if self.process.poll() is not None:
            self.process = None
            raise AssertionError(self.log())
        return self

    def wait_in(self, count):
        until(lambda: self.figure("backends_up") == count, f"{count} back ends are in")
        return self

    def reload(self, pools=None, **settings):
        self.configure(pools, **settings)
        before = self.log().count("read again")
        self.process.send_signal(signal.SIGHUP)
        until(lambda: self.log().count("read again") > before, "the configuration is read again")

    def log(self):
        return self.output.read_text(errors="replace")

    def figures(self):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self.folder / "run/admin_proxy.stat"))
            data = b""
            while more := sock.recv(65536):
                data += more
        return json.loads(data)["counters"]

    def figure(self, name):
        return self.figures()[name]

    def client(self, **more):
        return Client(self.port, **more)

    def memory_kb(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(30)
        self.process = None
        return status

    def remove(self):
        status = self.stop()
        text = self.log()
        shutil.rmtree(self.folder, ignore_errors=True)
        assert status in (0, None, -signal.SIGKILL), text
        assert "Sanitizer" not in text and "runtime error" not in text, text



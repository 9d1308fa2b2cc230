"""installation.py - a whole picstore of its own, in a scratch folder on free ports."""
import configparser
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import zlib

from wait import until

TREE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PICSTORE_BUILD", TREE / "build"))
PICSTORE = BUILD / "src/programs/picstore/picstore"
SAMPLE = TREE / "samples/dandelion.jpg"
PORTS = 90
UNPRIVILEGED = "nobody"
# What `picstore up` needs to find; ports and the rest it adds by itself.
FIRST_SETTINGS = """
[picstore]
secret_dir = ../secret
[storage g01]
listen = 127.0.0.1:1
store_path = ../data/g01
[storage g02]
listen = 127.0.0.1:2
store_path = ../data/g02
"""


def free_port_base():
    """A number N such that N+1 to N+PORTS can be bound; below the ports that clients get."""
    for base in random.sample(range(20000, 32000, 100), 120):
        sockets = []
        try:
            for port in range(base + 1, base + 1 + PORTS):
                one = socket.socket()
                sockets.append(one)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.bind(("0.0.0.0", port))
            return base
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise RuntimeError("no free ports")


def user_options():
    """As root the parts run as somebody else, if that one may read the programs."""
    if os.geteuid() != 0:
        return []
    may = subprocess.run(["setpriv", f"--reuid={UNPRIVILEGED}", "--clear-groups",
                          "test", "-x", PICSTORE], check=False).returncode == 0
    return ["--user", UNPRIVILEGED if may else "root"]


def as_its_user():
    """What to put in front of a command that is to run as the parts do."""
    words = user_options()
    return ["setpriv", f"--reuid={words[1]}", "--clear-groups"] if words else []


def mount_tmpfs(path, size):
    if os.geteuid() != 0:
        return False
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0777", "none", path],
                          check=False, capture_output=True).returncode == 0


class Installation:
    """`settings` are {(section, key): value}, on top of what `picstore up` writes."""

    def __init__(self, settings=None, home=None):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="picstore-test-"))
        self.scratch.chmod(0o755)
        self.home = pathlib.Path(home) if home else self.scratch / "home"
        self.conf = self.home / "etc/picstore.conf"
        self.base = free_port_base()
        self.varnish, self.lighttpd, self.tracker = self.base + 1, self.base + 2, self.base + 3
        self.storage = {"g01": self.base + 4, "g02": self.base + 5}
        self.http = {"g01": self.base + 82, "g02": self.base + 83}
        self.admin_proxy = self.base + 72
        self.del_svr = [self.base + 73, self.base + 74]
        self.sess_check_svr = self.base + 80
        self.cs_del_svr = [self.base + 75, self.base + 76]
        self.cut_svr = [self.base + 77, self.base + 78]
        self.url = f"http://127.0.0.1:{self.varnish}"
        self.settings = settings or {}
        self.program = PICSTORE
        self.process = None
        self.output = self.scratch / "up.out"

    # -- the whole

    def command(self, *options):
        return [self.program, "up", "--home", self.home, *user_options(), *options]

    def configure(self, settings):
        """Change settings; of a home that was never started too."""
        config = configparser.ConfigParser(interpolation=None, delimiters=("=",))
        if not config.read(self.conf):
            config.read_string(FIRST_SETTINGS)
            self.conf.parent.mkdir(parents=True)
        for (section, key), value in settings.items():
            if not config.has_section(section):
                config.add_section(section)
            config.set(section, key, str(value))
        with open(self.conf, "w") as file:
            config.write(file)
        if os.geteuid() == 0:
            for path in (self.home, self.conf.parent, self.conf):
                shutil.chown(path, user_options()[1])

    def launch(self, *options):
        """Start without waiting."""
        with open(self.output, "ab") as out:
            self.mark = out.tell()
            self.process = subprocess.Popen(
                self.command("--port-base", str(self.base), *options), stdout=out, stderr=out,
                stdin=subprocess.DEVNULL, cwd=self.scratch)

    def launch_as_configured(self):
        """Start again without changing its ports, and wait."""
        with open(self.output, "ab") as out:
            self.mark = out.tell()
            self.process = subprocess.Popen(self.command("--no-self-test"), stdout=out, stderr=out,
                                            stdin=subprocess.DEVNULL, cwd=self.scratch)
        self.wait_until_up()

    def said(self):
        """What `up` printed since the last launch."""
        return self.output.read_bytes()[self.mark:].decode()

    def start(self, *options):
        if self.settings:
            self.configure(self.settings)
            self.settings = {}
        self.launch(*options)
        return self.wait_until_up()

    def wait_until_up(self):
        until(lambda: "Ctrl-C" in self.said() or self.process.poll() is not None, "up", 120)
        assert self.process.poll() is None, self.report()
        return self

    def stop(self, how=signal.SIGINT):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(30)
        self.process = None
        return status

    def remove(self):
        self.stop()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def report(self):
        """Everything that tells why a test failed."""
        text = ["--- up", self.said()]
        for log in sorted(self.home.glob("log/*/current")):
            lines = log.read_text(errors="replace").splitlines()[-30:]
            text += [f"--- {log.parent.name}", *lines]
        return "\n".join(text)

    def fast_folder(self):
        """The folder in memory, while it is there."""
        path = pathlib.Path("/dev/shm") / f"picstore-{zlib.crc32(str(self.home).encode()):08x}"
        return path if path.exists() else None

    # -- one part

    def service(self, part):
        return self.home / "run/service" / part

    def pid(self, part):
        """Of a part that is up; never a number that kill(2) takes for many processes."""
        up, _, pid = self.state(part)
        assert up and pid > 1, f"{part} is not up"
        return pid

    def control(self, part, option):
        subprocess.run(["s6-svc", option, self.service(part)], check=True, timeout=60)

    def state(self, part):
        """(is up, is ready, pid)"""
        out = subprocess.run(["s6-svstat", "-o", "up,ready,pid", self.service(part)],
                             capture_output=True, text=True, check=True).stdout.split()
        return out[0] == "true", out[1] == "true", int(out[2])

    def down(self, part):
        """Stop it as an operator does, and keep it stopped."""
        self.control(part, "-d")
        until(lambda: not self.state(part)[0], f"{part} is down")

    def up(self, part):
        self.control(part, "-u")
        until(lambda: self.state(part)[:2] == (True, True), f"{part} is ready")

    def kill(self, part):
        """kill -9; the supervisor starts it again.  Returns when it is ready."""
        killed = self.kill_at_once(part)

        def again():
            up, ready, pid = self.state(part)
            return up and ready and pid != killed
        until(again, f"{part} is ready again")

    def kill_at_once(self, part):
        pid = self.pid(part)
        # A part of this installation, whoever else may run here.
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        assert str(self.home).encode() in words, words
        os.kill(pid, signal.SIGKILL)
        return pid

    def log(self, part):
        return (self.home / "log" / part / "current").read_text(errors="replace")

    # -- the command

    def picstore(self, *words, check=True, stdin=None, text=True):
        done = subprocess.run([PICSTORE, *words[:1], "-c", self.conf, *words[1:]], check=False,
                              capture_output=True, input=stdin, text=text, timeout=120)
        if check:
            assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done

    def token(self, *options):
        return self.picstore("token", *options).stdout.strip()

    def listed(self, group=None):
        """The ids of all stored pictures."""
        words = ["ls"] + ([group] if group else [])
        return [line.split("\t")[0] for line in self.picstore(*words).stdout.splitlines()]

    def store_paths(self, group):
        config = configparser.ConfigParser(interpolation=None, delimiters=("=",))
        config.read(self.conf)
        return config.get(f"storage {group}", "store_path").split()

    def volumes(self, group):
        return sorted(p for p in (self.home / "data" / group).rglob("*.vol")
                      if p.is_file() and p.stat().st_size > 4096)

    def status(self):
        return [json.loads(line) for line in self.picstore("status", "--json").stdout.splitlines()]

"""service.py - one daemon of the framed protocol by itself, with its own configuration."""
import os
import pathlib
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

from installation import BUILD, PICSTORE, TREE

sys.path.insert(0, str(TREE / "clients/python"))
from picstore import Picstore, PicstoreError  # noqa: E402  pylint: disable=wrong-import-position

__all__ = ["Service", "Picstore", "PicstoreError", "refusal"]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def refusal(function, *args, **more):
    """The code that a call of a client is refused with."""
    try:
        function(*args, **more)
    except PicstoreError as error:
        return error.code
    raise AssertionError("it was not refused")


class Service:
    """`settings` is the text of a configuration; {scratch} stands for a folder of its own."""

    def __init__(self, program, settings=""):
        self.program = BUILD / "src/programs" / program / program
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="picstore-service-"))
        self.conf = self.scratch / "picstore.conf"
        self.port = free_port()
        self.process = None
        secret = self.scratch / "secret"
        secret.mkdir()
        for name, content in (("des", "12345678"), ("jwt", "a secret of forty characters, no less...")):
            (secret / name).touch(0o600)
            (secret / name).write_text(content)
        self.configure(settings)

    def configure(self, settings):
        own = "[picstore]\nrun_dir = {scratch}/run\nsecret_dir = {scratch}/secret\n"
        self.conf.write_text((own + settings).replace("{scratch}", str(self.scratch)))

    def start(self, most_file_bytes=None):
        """Returns when it says that it is ready.  With `most_file_bytes` no file may grow
        beyond that, which is what a full disk looks like."""
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_file_bytes, most_file_bytes))
        ready, tell = os.pipe()
        with open(self.scratch / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "-c", self.conf, "--port", str(self.port)], stderr=log,
                stdin=subprocess.DEVNULL, pass_fds=[tell],
                # a write over the limit then fails, as one to a full disk does
                restore_signals=not most_file_bytes, preexec_fn=limit if most_file_bytes else None,
                env={**os.environ, "PICSTORE_READY_FD": str(tell)})
        os.close(tell)
        try:
            assert select.select([ready], [], [], 60)[0] and os.read(ready, 1), self.log()
        finally:
            os.close(ready)
        return self

    def log(self):
        return (self.scratch / "log").read_text(errors="replace")

    def kill(self):
        self.stop(signal.SIGKILL)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        status = self.process.wait(60)
        self.process = None
        return status

    def remove(self):
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def client(self, **more):
        return Picstore("127.0.0.1", self.port, **more)

    def dial(self):
        one = socket.create_connection(("127.0.0.1", self.port), 30)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return one

    def picstore(self, *words, check=True):
        done = subprocess.run([PICSTORE, *words[:1], "-c", self.conf, *words[1:]], check=False,
                              capture_output=True, text=True, timeout=120)
        if check:
            assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done

    def token(self, *options):
        return self.picstore("token", *options).stdout.strip()

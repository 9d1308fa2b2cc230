"""postgres.py - a PostgreSQL server for tests."""
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

from service import free_port
from wait import until

PG = pathlib.Path("/usr/lib/postgresql")


def there():
    return PG.exists()


class Postgres:
    """A server of its own, in a folder in /tmp, on a unix socket."""

    def __init__(self):
        self.bin = max(PG.glob("*/bin"))
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="picstore-pg-"))
        self.port = free_port()
        self.process = None
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
            self.user = pwd.getpwnam("postgres")
        else:
            self.user = pwd.getpwuid(os.geteuid())
        self.folder.chmod(0o755)
        self.run("initdb", "-D", self.folder / "data", "-U", "picstore", "-A", "trust", "-N",
                 "-E", "UTF8", "--no-locale")
        self.conninfo = f"host={self.folder} port={self.port} user=picstore dbname=postgres"

    def run(self, *words):
        subprocess.run([self.bin / words[0], *words[1:]], check=True, capture_output=True,
                       cwd="/", **self.as_user())

    def sql(self, text):
        """What psql prints of it, a row a line."""
        done = subprocess.run(
            [self.bin / "psql", "-X", "-A", "-t", "-q", "-h", self.folder, "-p", str(self.port),
             "-U", "picstore", "-d", "postgres", "-c", text], check=True, capture_output=True,
            text=True, cwd="/", **self.as_user())
        return done.stdout.splitlines()

    def as_user(self):
        if os.geteuid() != 0:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def start(self):
        self.process = subprocess.Popen(
            [self.bin / "postgres", "-D", self.folder / "data", "-k", self.folder, "-p",
             str(self.port), "-c", "listen_addresses="], cwd="/", stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.as_user())
        until(lambda: subprocess.run(
            [self.bin / "pg_isready", "-h", self.folder, "-p", str(self.port)], check=False,
            capture_output=True).returncode == 0, "PostgreSQL answers")

    def stop(self, how=signal.SIGINT):
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
        self.process = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

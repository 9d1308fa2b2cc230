"""ceph.py - a Ceph cluster of its own, in a scratch folder on free ports of loopback.

A monitor, a manager, three OSDs on sparse files, a pool of size 3 and min_size 2, and if
wanted a radosgw with an S3 user.  No root, no device, nothing outside the folder."""
import base64
import contextlib
import os
import pathlib
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import uuid

from installation import free_port_base, user_options
from wait import until

PROGRAMS = ("ceph-mon", "ceph-mgr", "ceph-osd", "radosgw", "radosgw-admin", "monmaptool")
OSDS = ("osd.0", "osd.1", "osd.2")
POOL = "pics"
USER = "client.picstore"
CONF = """
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{mon}/0
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr1 = false
ms bind port min = {low}
ms bind port max = {high}
auth allow insecure global id reclaim = false
keyring = {folder}/admin.keyring
log file = {folder}/log/$name.log
admin socket =
run dir = {folder}
crash dir = {folder}/crash
pid file =
osd pool default size = 3
osd pool default min size = 2
osd pool default pg num = 16
osd pool default pgp num = 16
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
# A small cluster comes up in seconds with these; none touches what an acknowledgement means.
paxos propose interval = 0.05
paxos min wait = 0.02
mon tick interval = 1
mon mgr beacon grace = 10
mgr tick period = 1
mgr stats period = 1
mgr initial modules =
osd mon report interval = 1
osd scrub load threshold = 0.01

[mon]
mon data = {folder}/mon
mon initial members = a
mon cluster log file = {folder}/log/cluster.log
mon data avail warn = 2
mon data avail crit = 1
mon allow pool delete = true
mon pg warn min per osd = 0
mon max pg per osd = 1000
# All OSDs are on one host, which may not be believed alone.
mon osd reporter subtree level = osd

[mgr]
mgr data = {folder}/mgr
keyring = {folder}/mgr/keyring

[osd]
osd data = {folder}/osd.$id
keyring = {folder}/osd.$id/keyring
osd crush initial weight = 1
osd class update on start = false
osd op num shards = 2
osd op num threads per shard = 1
# A file counts as a rotating disk, for which recovery would rest after each object.
osd recovery sleep hdd = 0
osd max backfills = 8
osd recovery max active = 16
bluestore block size = 4294967296
bluestore block create = true
bluestore block db create = false
bluestore block wal create = false
bluestore cache autotune = false
bluestore cache size = 67108864
# With buffers as large as usual RocksDB asks for more log at once than such an OSD has.
bluestore rocksdb options = compression=kNoCompression,max_write_buffer_number=4,min_write_buffer_number_to_merge=1,recycle_log_file_num=4,write_buffer_size=16777216,writable_file_max_buffer_size=0,compaction_readahead_size=2097152,max_background_compactions=2,max_total_wal_size=67108864

[client]
rgw frontends = beast endpoint=127.0.0.1:{rgw} tcp_nodelay=1
rgw data = {folder}/rgw
rgw thread pool size = 16
rgw enable usage log = false
"""


def is_installed():
    with contextlib.suppress(ImportError):
        import rados  # noqa: F401  (comes with ceph-common)
        return all(map(shutil.which, PROGRAMS))
    return False


def make_key():
    """A CephX key: type, when it was made, length, bytes."""
    now = time.time()
    return base64.b64encode(struct.pack("<HIIH", 1, int(now), 0, 16) + secrets.token_bytes(16)).decode()


class Ceph:
    def __init__(self, radosgw=False):
        # A disk: an OSD's file wants direct I/O, which memory does not have.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="picstore-ceph-", dir="/var/tmp"))
        self.folder.chmod(0o755)
        self.conf = self.folder / "ceph.conf"
        self.keyring = self.folder / "client.keyring"
        base = free_port_base()
        self.ports = {"mon": base + 1, "low": base + 2, "high": base + 88, "rgw": base + 89}
        self.radosgw = radosgw
        self.s3 = {"endpoint": f"http://127.0.0.1:{self.ports['rgw']}", "region": "default",
                   "access": secrets.token_hex(10).upper(), "secret": secrets.token_hex(20)}
        self.daemons = {}
        self.handle = None
        self.uuids = [str(uuid.uuid4()) for _ in OSDS]

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.remove()

    # -- a new cluster

    def start(self):
        try:
            self.make()
            self.start_all()
            self.make_pool(POOL)
            if self.radosgw:
                self.start_radosgw()
        except BaseException:
            self.remove()
            raise
        return self

    def run(self, *command):
        done = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def make(self):
        fsid = str(uuid.uuid4())
        for name in ("log", "crash", "mon", "mgr", "rgw", *OSDS):
            (self.folder / name).mkdir()
        self.conf.write_text(CONF.format(fsid=fsid, folder=self.folder, **self.ports))
        keys = {
            ("first.keyring", "mon."): {"mon": "allow *"},
            ("admin.keyring", "client.admin"): {"mon": "allow *", "osd": "allow *", "mgr": "allow *"},
            ("client.keyring", USER): {"mon": "allow r", "osd": f"allow rw pool={POOL}"},
            ("mgr/keyring", "mgr.x"): {"mon": "allow profile mgr", "osd": "allow *", "mds": "allow *"},
        } | {(f"{osd}/keyring", osd): {"mon": "allow profile osd", "mgr": "allow profile osd", "osd": "allow *"} for osd in OSDS}
        # Every key in the keyring that a monitor is made with is known to it.
        first = ""
        for (file, user), caps in keys.items():
            text = f"[{user}]\n\tkey = {make_key()}\n" + "".join(f'\tcaps {of} = "{cap}"\n' for of, cap in caps.items())
            first += text
            (self.folder / file).touch(0o600)
            (self.folder / file).write_text(text)
        (self.folder / "first.keyring").write_text(first)
        if user_options():
            shutil.chown(self.keyring, user_options()[1])
        monmap = self.folder / "monmap"
        self.run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:127.0.0.1:{self.ports['mon']}/0]", monmap)
        self.run("ceph-mon", "-c", self.conf, "-i", "a", "--mkfs", "--monmap", monmap, "--keyring", self.folder / "first.keyring")
        making = [subprocess.Popen(["ceph-osd", "-c", self.conf, "-i", str(i), "--mkfs", "--osd-uuid", one],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
                  for i, one in enumerate(self.uuids)]
        self.start_daemon("mon.a")
        self.connect()
        for one in self.uuids:
            self.ask("osd new", uuid=one)
        for one in making:
            assert one.wait(60) == 0, f"ceph-osd --mkfs failed, see {self.folder}/log"

    def make_pool(self, name, **more):
        self.ask("osd pool create", pool=name, pg_num=16, pgp_num=16, **more)
        self.ask("osd pool application enable", pool=name, app="picstore", yes_i_really_mean_it=True)
        self.wait_until_it_writes(name)

    def start_radosgw(self):
        # The user first: that makes the pools, which radosgw then finds.
        self.run("radosgw-admin", "-c", self.conf, "user", "create", "--uid=picstore", "--display-name=picstore",
                 "--access-key", self.s3["access"], "--secret", self.s3["secret"])
        self.start_daemon("rgw")

        def listens():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.ports["rgw"]), 1):
                return True
        until(listens, "radosgw listens", 60)

    # -- questions and commands

    def connect(self):
        import rados
        self.disconnect()
        self.handle = rados.Rados(conffile=str(self.conf), rados_id="admin", conf={
            "log_file": "", "client_mount_timeout": "30", "rados_mon_op_timeout": "30", "rados_osd_op_timeout": "30"})
        self.handle.connect()

    def disconnect(self):
        if self.handle is not None:
            self.handle.shutdown()
        self.handle = None

    def ask(self, prefix, **arguments):
        """A command of `ceph`, by a connection that is there; its answer, from JSON."""
        import json
        status, out, words = self.handle.mon_command(json.dumps({"prefix": prefix, "format": "json", **arguments}), b"")
        assert status == 0, f"{prefix} {arguments}: {status} {words}"
        return json.loads(out) if out.strip() else None

    def osds_up(self):
        return sum(one["up"] for one in self.ask("osd dump")["osds"])

    def pool(self, name=POOL):
        """For reading and writing objects with all rights, as a context."""
        return contextlib.closing(self.handle.open_ioctx(name))

    def wait_until_it_writes(self, pool=POOL):
        self.handle.wait_for_latest_osdmap() # or it would ask where the OSDs once were
        with self.pool(pool) as objects:
            objects.write_full("is it up?", b"yes")
            objects.remove_object("is it up?")

    def objects(self, pool=POOL):
        """The names of all."""
        with self.pool(pool) as objects:
            return {one.key for one in objects.list_objects()}

    # -- daemons

    def start_daemon(self, name):
        kind, _, number = name.partition(".")
        words = {"rgw": ["radosgw", "-n", "client.admin", "--log-file", f"{self.folder}/log/rgw.log"]}.get(
            kind, ["ceph-" + kind, "-i", number])
        with open(self.folder / "log" / (name + ".out"), "ab") as out:
            # Should the tests be killed, it goes too.
            self.daemons[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *words, "-c", self.conf, "-f"], stdout=out, stderr=out,
                stdin=subprocess.DEVNULL, start_new_session=True)

    def start_all(self):
        """All but radosgw; returns when all OSDs are up."""
        if "mon.a" not in self.daemons:
            self.start_daemon("mon.a")
            self.connect()
            # After a kill the monitor believes what it last knew.
            self.ask("osd down", ids=["0", "1", "2"], definitely_dead=True)
            self.ask("mgr fail", who="x")
        for name in ("mgr.x", *OSDS):
            self.start_daemon(name)
        until(lambda: self.osds_up() == len(OSDS), "all OSDs are up", 60)

    def signal(self, name, what):
        self.daemons[name].send_signal(what)

    def kill(self, *names):
        """kill -9; returns when they are gone."""
        for name in names:
            self.signal(name, signal.SIGKILL)
        for name in names:
            self.daemons.pop(name).wait(30)

    def hang(self, name):
        self.signal(name, signal.SIGSTOP)

    def wake(self, name):
        self.signal(name, signal.SIGCONT)

    def stop(self):
        self.disconnect()
        for kind in ("rgw", "osd", "mgr", "mon"):
            stopping = [name for name in self.daemons if name.startswith(kind)]
            for name in stopping:
                self.signal(name, signal.SIGCONT)
                self.signal(name, signal.SIGTERM)
            for name in stopping:
                try:
                    self.daemons[name].wait(10)
                    del self.daemons[name]
                except subprocess.TimeoutExpired:
                    self.kill(name)

    def remove(self):
        """Everything of it: what it has need not be kept."""
        self.disconnect()
        self.kill(*self.daemons)
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- for clients

    def storage_settings(self, **more):
        """Of a [storage NAME] on the pool."""
        return {"engine": "rados", "rados_conf": self.conf, "rados_keyring": self.keyring, "rados_pool": POOL, **more}

    def environment(self):
        """For programs that are not told by a configuration."""
        return os.environ | {
            "RADOS_CONF": str(self.conf), "RADOS_KEYRING": str(self.keyring), "RADOS_POOL": POOL, "RADOS_USER": USER,
            "S3_ENDPOINT": self.s3["endpoint"], "S3_REGION": self.s3["region"], "S3_BUCKET": POOL,
            "S3_ACCESS_KEY": self.s3["access"], "S3_SECRET_KEY": self.s3["secret"]}

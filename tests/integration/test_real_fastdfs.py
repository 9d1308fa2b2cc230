"""A FastDFS cluster as the store, and the whole of picstore on it.

    PICSTORE_TEST_FASTDFS=host:port     one of its trackers

Without one nothing here can be shown: conftest.py leaves these tests out and says so.
What they store they delete.  More is tried where the cluster has it: several groups,
several storages in a group, trunk files."""
import io
import json
import os
import re
import subprocess

import PIL.Image
import pytest

import fdfs
import package
import pictures
import web
from installation import BUILD, Installation
from test_cut import cut
from test_deletion import ontime, receipts

CLUSTER = os.environ.get("PICSTORE_TEST_FASTDFS", "")
pytestmark = pytest.mark.real_fastdfs
WRONG = re.compile(r"(?m)^.*\b(error|alarm)\b.*$")


@pytest.fixture(scope="module")
def whole():
    """All of picstore, on that cluster; its self-test is one of the tests."""

    one = Installation({("fdfs", "tracker_server"): CLUSTER,
                        ("del_file_ontime", "every"): "1d"})
    try:
        yield one.start()
    finally:
        one.remove()


class Cluster:
    """The same cluster, as its own clients see it."""

    def __init__(self):
        host, port = CLUSTER.rsplit(":", 1)
        self.tracker = fdfs.Client(int(port), host=host)
        self.made = []

    def groups(self):
        return [fdfs.text(record[:17]) for record in self.records(fdfs.GROUPS, b"", (113, 105))]

    def records(self, command, body, sizes):
        answer = self.tracker.call(command, body)
        size = next(size for size in sizes if len(answer) % size == 0)
        return [answer[at:at + size] for at in range(0, len(answer), size)]

    def active(self, group):
        """The addresses of its storages that are up."""
        found = []
        for record in self.records(fdfs.STORAGES, fdfs.group_field(group), (487, 517)):
            if record[0] == 7:
                found.append(fdfs.text(record[18:18 + len(record) - 471]))
        return found

    def storage(self, group):
        """A connection to who takes an upload, and the store path to name in it."""
        answer = self.tracker.call(fdfs.STORE_IN, fdfs.group_field(group))
        host, port = fdfs.text(answer[16:-9]), int.from_bytes(answer[-9:-1], "big")
        return fdfs.Client(port, host=host), answer[-1]

    def source(self, file_id):
        group, name = fdfs.split(file_id)
        answer = self.tracker.call(fdfs.UPDATE, group + name)
        return fdfs.Client(int.from_bytes(answer[-8:], "big"), host=fdfs.text(answer[16:-8]))

    def has(self, file_id, host):
        """Whether that storage has it."""
        group, name = fdfs.split(file_id)
        with self.source(file_id) as any_of_them:
            port = any_of_them.socket.getpeername()[1]
        with fdfs.Client(port, host=host) as storage:
            return storage.ask(fdfs.INFO, group + name)[0] == 0


@pytest.fixture
def cluster():
    one = Cluster()
    yield one
    for file_id in one.made:
        with one.source(file_id) as storage:
            storage.ask(fdfs.DELETE, b"".join(fdfs.split(file_id)))
    one.tracker.socket.close()


@pytest.fixture
def token(whole):
    return whole.token()


# -- all of it

def test_up_starts_no_store_of_its_own(whole):
    assert "The store is elsewhere" in whole.output.read_text()
    parts = {one["part"].split()[0] for one in whole.status()[0]["parts"]}
    assert "cut_svr" in parts and not parts & {"tracker_server", "storage_server"}, parts
    assert not (whole.home / "run/service/tracker_server").exists()
    assert not list((whole.home / "data").glob("g0*")), "no store paths were made"
    assert CLUSTER in whole.conf.read_text(), "the ports that up chooses are not those of the cluster"


def test_a_picture_s_whole_life(whole, token):
    content = pictures.drawn(seed=1)
    file_id = web.stored(web.upload(whole.varnish, token, content))
    for port in (whole.varnish, whole.lighttpd):
        for _ in range(2):
            assert web.get(port, "/" + file_id).body == content
    part = web.get(whole.varnish, "/" + file_id, Range="bytes=5-9")
    assert (part.status, part.body) == (206, content[5:10])
    with package.Caller(whole.cs_del_svr[0]) as caller:
        assert caller.delete_now([file_id]) == package.OK
        assert web.get(whole.varnish, "/" + file_id).status == 404, "FastDFS does not know the gone"
        assert caller.delete_now([file_id]) == package.OK, "gone already is success"
    one = receipts(whole, file_id)[0]
    assert one["closed"] and one["places"][0]["outcome"].startswith("deleted")
    assert whole.picstore("receipt", "--check", file_id).stdout.count("Now: gone") >= 2


def test_every_group_takes_pictures(whole, cluster):
    """put, get, stat and rm, in each group."""
    for number, group in enumerate(cluster.groups()):
        content = pictures.noisy(60_000, seed=number)
        path = whole.scratch / f"{group}.jpg"
        path.write_bytes(content)
        file_id = whole.picstore("put", "--group", group, path).stdout.split("\t")[0]
        assert file_id.startswith(group + "/")
        told = json.loads(whole.picstore("stat", "--json", file_id).stdout)
        assert told["id"] == file_id
        assert whole.picstore("get", "-o", "-", file_id, text=False).stdout == content
        assert whole.picstore("rm", file_id).returncode == 0
        assert web.get(whole.varnish, "/" + file_id).status == 404


def test_cuts_are_stored_there_and_go_with_their_picture(whole, token):
    file_id = web.stored(web.upload(whole.varnish, token, pictures.drawn(200, 100, seed=2)))
    made = cut(whole, file_id, clip=(100, 100), start=(50, 0), thumb=(32, 32))
    answer = web.get(whole.varnish, "/" + made)
    assert PIL.Image.open(io.BytesIO(answer.body)).size == (32, 32)
    assert cut(whole, file_id, clip=(100, 100), start=(50, 0), thumb=(32, 32)) == made
    with package.Caller(whole.cs_del_svr[1]) as caller:
        assert caller.delete_now([file_id]) == package.OK
    assert web.statuses(whole.varnish, [file_id, made]) == [404, 404]


def test_deletes_that_wait_for_their_time(whole, token):
    late, kept = [web.stored(web.upload(whole.varnish, token, pictures.drawn(seed=n)))
                  for n in (3, 4)]
    with package.Caller(whole.del_svr[0]) as caller:
        assert caller.delete_later([late, kept]) == package.OK
    assert whole.picstore("undelete", kept).returncode == 0
    ontime(whole)
    assert web.statuses(whole.varnish, [late, kept]) == [404, 200]
    assert whole.picstore("rm", kept).returncode == 0


# -- ids of every kind

def served(whole, file_id, content):
    answer = web.get(whole.varnish, "/" + file_id)
    assert (answer.status, answer.body) == (200, content), file_id
    assert web.get(whole.lighttpd, "/download.fcgi/" + file_id).body == content
    return answer


def test_what_its_own_clients_store_is_served(whole, cluster):
    """Normal names, or names of trunk files where the cluster has these."""
    for group in cluster.groups():
        for size in (1, 1000, 300_000):
            content = pictures.noisy(300_000, seed=5)[:size]
            storage, path = cluster.storage(group)
            with storage:
                file_id = storage.upload(content, "jpg", path)
                cluster.made.append(file_id)
                served(whole, file_id, content)
                assert whole.picstore("get", "-o", "-", file_id, text=False).stdout == content


def test_slaves_and_appenders_are_served(whole, cluster):
    storage, path = cluster.storage(cluster.groups()[0])
    with storage:
        master = storage.upload(b"\xff\xd8 a master", "jpg", path)
        slave = storage.upload_slave(master, "_150x150", b"\xff\xd8 a slave", "jpg")
        appender = storage.upload_appender(b"\xff\xd8 begun", "jpg", path)
        cluster.made += [slave, master]
        served(whole, master, b"\xff\xd8 a master")
        served(whole, slave, b"\xff\xd8 a slave")
        served(whole, appender, b"\xff\xd8 begun")
        storage.append(appender, b", appended")
        answer = served(whole, appender, b"\xff\xd8 begun, appended")
        assert "no-store" in answer.headers["Cache-Control"] or "no-cache" in answer.headers["Cache-Control"]
        last = storage.finish(appender)
        cluster.made.append(last)
        assert web.get(whole.varnish, "/" + appender).status == 404
        served(whole, last, b"\xff\xd8 begun, appended")
    # Framed packages have room for 64 characters, which a trunk file's slave exceeds.
    assert whole.picstore("rm", slave, last).returncode == 0
    assert web.statuses(whole.varnish, [slave, last, master]) == [404, 404, 200], [
        [cluster.has(one, host) for host in cluster.active(one.split("/")[0])] for one in (slave, last)]


def test_our_client_s_slaves_appenders_and_metadata(whole):
    """Each step of tests/integration/names_client.c says what came back."""
    done = subprocess.run([BUILD / "tests/integration/names_client", CLUSTER], check=False,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "all as it should be"


# -- moving from it

def test_its_files_of_every_kind_move_into_a_store_of_our_own(cluster, installations):
    """Through its tracker, with a list of ids; another time nothing is taken twice."""
    wanted = {}
    group = cluster.groups()[0]
    storage, path = cluster.storage(group)
    with storage:
        for size in (1, 5000, 300_000):
            content = pictures.noisy(300_000, seed=6)[:size]
            master = storage.upload(content, "jpg", path)
            wanted[master] = content
        storage.set_metadata(master, b"height\x02480\x01width\x02640")
        wanted[storage.upload_slave(master, "_150x150", b"a slave", "jpg")] = b"a slave"
        appender = storage.upload_appender(b"begun", "log", path)
        storage.append(appender, b", appended")
        wanted[appender] = b"begun, appended"
        wanted[storage.upload_slave(master, "_0", b"", "jpg")] = b""  # neither is sent by its own server
        wanted[storage.upload_appender(b"", "log", path)] = b""
        gone = storage.upload(b"gone", "jpg", path)
        storage.delete(gone)
    cluster.made += reversed(wanted)  # slaves before their masters
    own = installations({("storage g01", "group"): group, ("storage g02", "group"): "other"})
    own.start("--no-self-test")
    ids = "".join(f"{file_id}\n" for file_id in [*wanted, gone])
    for stored in (len(wanted), 0):
        done = own.picstore("import", "--from", "tracker", CLUSTER, "-", stdin=ids, check=False)
        assert done.returncode == 1 and done.stderr.count("there is no such picture") == 1
        assert len(done.stdout.splitlines()) == stored, done.stdout + done.stderr
    with fdfs.Client(own.storage["g01"]) as storage:
        for file_id, content in wanted.items():
            assert storage.download(file_id) == content
            assert web.get(own.varnish, "/" + file_id).body == content
        assert storage.metadata(master) == b"height\x02480\x01width\x02640"
        storage.append(appender, b", and further")
        assert storage.download(appender) == b"begun, appended, and further"


# -- several storages of a group

def test_a_delete_reaches_every_storage_of_the_group(whole, cluster, token):
    ids = [web.stored(web.upload(whole.varnish, token, pictures.drawn(seed=20 + n))) for n in range(6)]
    with package.Caller(whole.cs_del_svr[0]) as caller:
        assert caller.delete_now(ids) == package.OK
    for file_id in ids:
        for host in cluster.active(file_id.split("/")[0]):
            assert not cluster.has(file_id, host), f"{host} has {file_id}"


# -- monitors

def monitor(*words):
    return subprocess.run([BUILD / "src/programs/monit_fdfs/monit_fdfs", "-t", CLUSTER, *words],
                          check=False, capture_output=True, text=True, timeout=60)


def test_monit_fdfs_of_each_storage(cluster):
    for group in cluster.groups():
        for host in cluster.active(group):
            done = monitor("--json", host)
            assert done.returncode in (0, 1), done.stdout
            told = [one for one in json.loads(done.stdout)["storage"] if one["group"] == group]
            assert told and all(one["active"] == 1 and one["version"][0].isdigit() for one in told)
            table = monitor(host)
            assert table.returncode == done.returncode and group in table.stdout
            assert monitor("-c", "free=101:", host).returncode == 2
    assert monitor("192.0.2.1").returncode == 2, "nobody knows it"


def test_status_tells_of_its_groups(whole, cluster):
    told = whole.status()[0]
    assert told["ok"] and [group["group"] for group in told["groups"]] == cluster.groups()


def test_nothing_was_wrong(whole, token):
    """The last test: what the parts said while all that went well."""
    assert web.stored(web.upload(whole.varnish, token, pictures.drawn(seed=99)))
    for log in sorted(whole.home.glob("log/*/current")):
        assert not WRONG.findall(log.read_text(errors="replace")), log

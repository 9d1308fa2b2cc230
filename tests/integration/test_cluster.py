"""Two trackers, and three storages in two groups: whoever is killed, the others go on."""
import base64
import configparser
import itertools
import os
import random
import signal
import subprocess
import threading

import pytest

import fdfs
import pictures
import web
from installation import BUILD, user_options
from wait import until

GROUP_OF = {1: "g01", 2: "g02", 3: "g02"}
PART_OF = {1: "storage_server-g01", 2: "storage_server-g02", 3: "storage_server-g02b"}


def source_of(file_id):
    """The number of the storage that made it."""
    return int.from_bytes(base64.urlsafe_b64decode(file_id.split("/")[4][:8])[:3], "little")


class SecondTracker:
    """Beside the one that belongs to the installation."""

    def __init__(self, one):
        self.port = one.base + 60
        self.conf = one.scratch / "second.conf"
        run = one.scratch / "second"
        run.mkdir()
        run.chmod(0o777)
        config = configparser.ConfigParser(interpolation=None, delimiters=("=",))
        config.read_string(f"""
[picstore]
run_dir = {run}
[fdfs]
tracker_server = 127.0.0.1:{self.port}
[tracker]
listen = 127.0.0.1:{self.port}
memory = {run}/storages
""")
        if os.geteuid() == 0:
            config.set("picstore", "user", user_options()[1])
        with open(self.conf, "w") as file:
            config.write(file)
        self.log = open(one.scratch / "second.log", "ab")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [BUILD / "src/programs/tracker_server/tracker_server", "-c", self.conf],
            stdout=self.log, stderr=self.log)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)


@pytest.fixture
def cluster(installations):
    one = installations({
        ("storage g02b", "group"): "g02", ("storage g02b", "store_path"): "../data/g02b",
        ("storage g02b", "listen"): "127.0.0.1:3",
        ("storage g01", "id"): "1", ("storage g02", "id"): "2", ("storage g02b", "id"): "3",
        ("download", "local_read"): "no"})
    one.start("--no-self-test")
    one.stop()
    one.second = SecondTracker(one)
    one.trackers = [one.tracker, one.second.port]
    one.configure({("fdfs", "tracker_server"): " ".join(f"127.0.0.1:{p}" for p in one.trackers)})
    one.second.start()
    try:
        one.launch_as_configured()
        one.storage["g02b"] = one.base + 6
        until(lambda: all(states(p) == {1: 7, 2: 7, 3: 7} for p in one.trackers), "all are known")
        yield one
    finally:
        one.second.kill()
        one.second.log.close()


def states(port):
    """{storage: state} as that tracker sees it; empty if it is down."""
    found = {}
    try:
        with fdfs.Client(port) as tracker:
            for group in ("g01", "g02"):
                records = tracker.call(fdfs.STORAGES, fdfs.group_field(group))
                for at in range(0, len(records), 487):
                    found[int(fdfs.text(records[at + 2:at + 18]))] = records[at]
    except (OSError, fdfs.Failed, fdfs.Closed):
        pass
    return found


# -- what several storages of a group are

def test_a_file_is_asked_for_where_it_is(cluster):
    """Storages of a group are no copies of each other: each name leads to its own."""
    ports = {1: cluster.storage["g01"], 2: cluster.storage["g02"], 3: cluster.storage["g02b"]}
    ids = []
    for number, port in ports.items():
        with fdfs.Client(port) as storage:
            ids += [storage.upload(b"%d of %d" % (i, number)) for i in range(3)]
    assert [source_of(file_id) for file_id in ids] == [1] * 3 + [2] * 3 + [3] * 3
    for tracker_port in cluster.trackers:
        with fdfs.Client(tracker_port) as tracker:
            for file_id, command in itertools.product(ids, (fdfs.FETCH, fdfs.UPDATE, fdfs.FETCH_ALL)):
                number = source_of(file_id)
                assert tracker.fetch(file_id, command) == (GROUP_OF[number], ports[number])
            assert len(tracker.call(fdfs.STORE_ALL_IN, fdfs.group_field("g02"))) == 16 + 2 * 23 + 1
            assert {tracker.store("g02")[1] for _ in range(4)} == {ports[2], ports[3]}
    cluster.down(PART_OF[3])
    for tracker_port in cluster.trackers:
        with fdfs.Client(tracker_port) as tracker:
            assert tracker.fetch(ids[3])[1] == ports[2]
            assert {tracker.store("g02")[1] for _ in range(4)} == {ports[2]}
            with pytest.raises(fdfs.Failed) as failure:
                tracker.fetch(ids[8])
            assert failure.value.status == fdfs.ENOENT, "what only one has is not looked for elsewhere"
    assert web.get(cluster.lighttpd, "/" + ids[8]).status == 503, "out of reach, not gone"
    # Trackers that start anew have heard of it: nobody takes another's "no" for an answer.
    cluster.kill("tracker_server")
    cluster.second.kill()
    cluster.second.start()
    until(lambda: all(states(p) == {1: 7, 2: 7, 3: 5} for p in cluster.trackers), "two are known")
    assert web.get(cluster.lighttpd, "/" + ids[8]).status == 503, "still out of reach"
    cluster.up(PART_OF[3])
    until(lambda: all(states(p)[3] == 7 for p in cluster.trackers), "it is known again")
    assert web.get(cluster.lighttpd, "/" + ids[8]).body == b"2 of 3"


# -- kills under load

class Load:
    """Clients that go on until they are told to stop, and note what they were promised."""

    def __init__(self, cluster, kinds=("http upload", "raw upload", "http download", "raw download")):
        self.cluster = cluster
        self.lock = threading.Lock()
        self.stored = {}  # id: content
        self.failures = []
        self.done = {kind: 0 for kind in kinds}
        self.away = set()  # storages that may be down
        self.ending = threading.Event()
        self.seeds = itertools.count(1)
        self.threads = [threading.Thread(
            target=self.work, args=(kind, getattr(self, kind.replace(" ", "_")))) for kind in kinds]

    def work(self, kind, step):
        while not self.ending.is_set():
            try:
                step()
            except Exception as error:  # pylint: disable=broad-except
                with self.lock:
                    self.failures.append(f"{kind}: {error!r}")
                if len(self.failures) > 20:
                    return
            with self.lock:
                self.done[kind] += 1

    def note(self, file_id, content):
        with self.lock:
            self.stored[file_id] = content

    def picture(self):
        return pictures.drawn(seed=next(self.seeds))

    # -- our own programs

    def http_upload(self):
        content = self.picture()
        self.note(web.stored(web.upload(self.cluster.lighttpd, self.token, content)), content)

    def http_download(self):
        file_id, content = self.choose()
        if file_id is None:
            return
        answer = web.get(self.cluster.lighttpd, "/" + file_id)
        if answer.status == 200:
            assert answer.body == content
        else:
            self.excused(file_id, answer)

    # -- clients of FastDFS, which try the next server when one does not answer

    def raw_upload(self):
        content = self.picture()
        for _ in range(10):
            try:
                _, port, path = self.ask_a_tracker(lambda tracker: tracker.store())
                with fdfs.Client(port) as storage:
                    self.note(storage.upload(content, "jpg", path), content)
                    return
            except (OSError, fdfs.Closed):
                continue
        raise AssertionError("ten storages in a row did not answer")

    def raw_download(self):
        file_id, content = self.choose()
        if file_id is None:
            return
        try:
            _, port = self.ask_a_tracker(lambda tracker: tracker.fetch(file_id))
            with fdfs.Client(port) as storage:
                assert storage.download(file_id) == content
        except (OSError, fdfs.Closed, fdfs.Failed) as error:
            self.excused(file_id, error)

    def ask_a_tracker(self, question):
        for port in self.cluster.trackers:
            try:
                with fdfs.Client(port) as tracker:
                    return question(tracker)
            except (OSError, fdfs.Closed, fdfs.Failed) as error:
                last = error  # it may have started just now, and not know all
        raise last

    def choose(self):
        """A picture whose storage should be up."""
        with self.lock:
            there = [i for i in self.stored if source_of(i) not in self.away]
            file_id = random.choice(there) if there else None
            return file_id, self.stored.get(file_id)

    def excused(self, file_id, why):
        """Only if the one storage that has the picture was killed meanwhile."""
        assert source_of(file_id) in self.away, f"{file_id}: {why!r}"

    # -- for the test

    def __enter__(self):
        self.token = self.cluster.token()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join(120)

    def go_on(self, count=25):
        """Until each client has done that much more."""
        with self.lock:
            want = {kind: done + count for kind, done in self.done.items()}
        until(lambda: self.failures or all(self.done[kind] >= n for kind, n in want.items()),
              f"{count} more requests", 90)
        assert not self.failures, self.failures[:5]


def test_each_part_killed_in_turn_under_load(cluster):
    with Load(cluster) as load:
        load.go_on()
        for number, part in PART_OF.items():
            load.away.add(number)
            cluster.control(part, "-o")  # not started again
            cluster.kill_at_once(part)
            load.go_on()
            cluster.up(part)
            until(lambda n=number: all(states(p).get(n) == 7 for p in cluster.trackers), "known again")
            load.go_on(5)  # whoever was told it is down has asked again
            load.away.clear()
            load.go_on(5)
        cluster.control("tracker_server", "-o")
        cluster.kill_at_once("tracker_server")
        load.go_on()
        cluster.up("tracker_server")
        load.go_on()
        until(lambda: states(cluster.tracker) == {1: 7, 2: 7, 3: 7}, "it knows all again")
        cluster.second.kill()
        load.go_on()
        cluster.second.start()
        load.go_on()
    assert {source_of(file_id) for file_id in load.stored} == {1, 2, 3}
    for file_id, content in load.stored.items():  # what was promised is there
        port = {1: cluster.storage["g01"], 2: cluster.storage["g02"],
                3: cluster.storage["g02b"]}[source_of(file_id)]
        with fdfs.Client(port) as storage:
            assert storage.download(file_id) == content


def test_each_part_frozen_in_turn_under_load(cluster):
    """Silent, not dead: connections stand, and nobody answers on them."""
    with Load(cluster, ("http upload", "http download")) as load:
        load.go_on()
        for number, part in PART_OF.items():
            load.away.add(number)
            pid = cluster.pid(part)
            os.kill(pid, signal.SIGSTOP)
            load.go_on()
            os.kill(pid, signal.SIGCONT)
            until(lambda n=number: all(states(p).get(n) == 7 for p in cluster.trackers), "known again")
            load.go_on(5)
            load.away.clear()
            load.go_on(5)
        for pid in (cluster.pid("tracker_server"), cluster.second.process.pid):
            os.kill(pid, signal.SIGSTOP)
            load.go_on()
            os.kill(pid, signal.SIGCONT)
            until(lambda: all(states(p) == {1: 7, 2: 7, 3: 7} for p in cluster.trackers), "known again")
            load.go_on()
    for file_id, content in load.stored.items():
        assert web.get(cluster.lighttpd, "/" + file_id).body == content

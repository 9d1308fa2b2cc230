"""A storage with a million pictures: what it costs on disk, in memory, at start and cold."""

import json
import os
import random
import shutil
import statistics
import subprocess
import time

import ours
import rig

PIECES = 20            # uploads and deletes go in so many runs of the driver
CONNECTIONS = 16
STARTS = 11
COLD_BATCHES, COLD_READS = 5, 2000
READ_SOME, READ_MORE = 2000, 50000
PERF_STARTS_S = 0.3      # until it counts; it does not say when
ERASE_S = 600          # longest wait for the space of what was deleted
PUNCH_DELAY_S = 60     # as it is when nobody sets it
QUIET_S = 20           # it has come back when no more comes for so long
OVERHEAD_AIM = 1.5     # % over the payload
START_AIM_MS = 100


def say(what, figure, aim=None, reached=None):
    verdict = "" if aim is None else f"   aim {aim}: {'reached' if reached else 'MISSED'}"
    print(f"  {what:52}{figure}{verdict}", flush=True)


def spread(values, form="{:.1f}"):
    shown = [form.format(f(values)) for f in (statistics.median, min, max)]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


class Disk:
    """The block layer's counters of the device that holds a folder."""

    def __init__(self, folder):
        device = os.stat(folder).st_dev
        self.file = f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat"
        if not os.path.exists(self.file):
            raise rig.Failure(f"{folder} is on no block device whose reads are counted: "
                              "name another one with --scratch")

    def reads(self):
        """Reads that were completed since the machine started."""
        with open(self.file, encoding="ascii") as stat:
            return int(stat.read().split()[0])


class OwnReads:
    """The reads that one process sends to disks, where perf can count them; as a context."""

    def __init__(self, pid):
        self.pid = pid
        self.count = None

    def __enter__(self):
        self.perf = None
        if shutil.which("perf") is not None:
            self.perf = subprocess.Popen(
                ["perf", "stat", "-x", ",", "-e", "block:block_rq_issue", "--filter",
                 'rwbs ~ "R*"', "-p", str(self.pid), "--", "cat"],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                text=True)
            time.sleep(PERF_STARTS_S)
        return self

    def __exit__(self, *_):
        if self.perf is None:
            return
        _, told = self.perf.communicate("")
        for line in told.splitlines():
            fields = line.split(",")
            if "block_rq_issue" in line and fields[0].isdigit():
                self.count = int(fields[0])


def drop_caches():
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as control:
            control.write("3")
    except OSError as error:
        raise rig.Failure(f"the page cache cannot be dropped, which needs root: {error}") from None


def on_disk(folder):
    return sum(os.lstat(os.path.join(where, name)).st_blocks * 512
               for where, _, names in os.walk(folder) for name in names)


def write_list(path, pictures):
    with open(path, "w", encoding="ascii") as out:
        for name, length, crc in pictures:
            out.write(f"{name} {length} {crc:08x}\n")
    return path


class Scale:
    """Two storages: g01 has the pictures, g02 has a hundred and is there to compare with."""

    def __init__(self, bench):
        self.bench = bench
        self.home = bench.folder("scale")
        self.disk = Disk(self.home)
        # The scrub reads too, and would be counted.
        self.storages = ours.Storages(bench.build, self.home, {"g01": "volume", "g02": "volume"},
                                      "scrub_rate = 0\nmax_file_size = 1M\n"
                                      f"volume_size = {bench.volume_size}\n")
        self.folder = os.path.join(self.home, "g01")
        self.pictures = []
        self.payload = 0

    def address(self, group="g01"):
        return f"127.0.0.1:{self.storages.ports[group]}"

    def drive(self, *argv):
        return rig.drive(self.bench.build, argv)

    def fill(self, group, count, first):
        listed = os.path.join(self.home, "filled.list")
        result = self.drive("load_fdfs", "-a", self.address(group), "-c", CONNECTIONS, "-n", count,
                            "-f", first, "-l", "-v", 50, "-o", listed, self.bench.picture(230))
        return result, list(ours.read_list(listed))

    def upload(self):
        self.storages.start_tracker()
        self.storages.start("g02")
        self.fill("g02", 100, 0)
        self.storages.stop("g02")
        self.storages.start("g01")
        rates, megabytes, processor = [], [], 0
        edges = [i * self.bench.pictures // PIECES for i in range(PIECES + 1)]
        for start, end in zip(edges, edges[1:]):
            before = sum(self.storages.servers["g01"].cpu_us().values())
            result, pictures = self.fill("g01", end - start, start)
            processor += sum(self.storages.servers["g01"].cpu_us().values()) - before
            rates.append(result["rate"])
            megabytes.append(result["bytes"] / result["seconds"] / 1e6)
            self.pictures += pictures
        self.payload = sum(length for _, length, _ in self.pictures)
        print(f"\nScale: {len(self.pictures)} pictures of {self.payload / len(self.pictures):.0f} "
              f"bytes on average, {self.payload / 1e9:.2f} GB; load average "
              f"{os.getloadavg()[0]:.1f}")
        say("uploads a second, first twentieth", f"{rates[0]:.0f}, {megabytes[0]:.0f} MB")
        say("uploads a second, last twentieth", f"{rates[-1]:.0f}, {megabytes[-1]:.0f} MB")
        say("uploads a second, all twentieths", spread(rates, "{:.0f}"))
        say("storage_server's CPU us an upload", f"{processor / len(self.pictures):.0f}")

    def space(self):
        """After closing, which gives back what was allocated ahead."""
        self.storages.stop("g01")
        os.sync()
        over = 100 * (on_disk(self.folder) / self.payload - 1)
        say("on the disk over the payload", f"{over:.2f} %", f"{OVERHEAD_AIM} %",
            over <= OVERHEAD_AIM)

    def starts(self):
        figures, processor = {}, {}
        for kind in ("in the page cache", "page cache dropped", "after kill -9, dropped"):
            for group in ("g02", "g01"):
                times = figures.setdefault((kind, group), [])
                for _ in range(STARTS):
                    if kind != "in the page cache":
                        drop_caches()
                    times.append(self.storages.start(group))
                    if kind == "in the page cache":
                        processor.setdefault(group, []).append(
                            self.storages.servers[group].on_cpu_ms())
                    if kind.startswith("after kill"):
                        self.storages.servers[group].process.kill()
                        self.storages.servers[group].process.wait()
                    self.storages.stop(group)
        for (kind, group), times in figures.items():
            if group == "g01":
                say(f"ready after, ms, {kind}", spread(times), f"{START_AIM_MS} ms",
                    statistics.median(times) < START_AIM_MS)
                say("  the same with 100 pictures", spread(figures[kind, "g02"]))
        say("processor time until ready, ms", spread(processor["g01"]))
        say("  the same with 100 pictures", spread(processor["g02"]))

    def memory(self):
        """Of both storages when they are ready; then of g01 when some were read, and more."""
        own = {}
        for group in ("g02", "g01"):
            values = []
            for _ in range(STARTS):
                self.storages.start(group)
                values.append(self.storages.servers[group].memory_kb("RssAnon"))
                self.storages.stop(group)
            own[group] = statistics.median(values)
        more = (own["g01"] - own["g02"]) * 1024 / len(self.pictures)
        say("own memory when ready, KB, with 100 pictures", f"{own['g02']:.0f}")
        say("  with all; bytes more a picture", f"{own['g01']:.0f}; {more:.2f}", "0",
            abs(more) < 1)
        self.storages.start("g01")
        for count in (READ_SOME, READ_MORE):
            chosen = random.sample(self.pictures, min(count, len(self.pictures)))
            self.drive("load_http", "-a", f"127.0.0.1:{self.storages.http_ports['g01']}",
                       "-c", CONNECTIONS, "-k", 1,
                       write_list(os.path.join(self.home, "read.list"), chosen))
            server = self.storages.servers["g01"]
            say(f"own, resident, peak KB when {len(chosen)} were read", ", ".join(
                str(server.memory_kb(key)) for key in ("RssAnon", "VmRSS", "VmHWM")))
        self.storages.stop("g01")

    def cold(self):
        """Pictures at random that are in no cache, over both protocols, one at a time and many.
        The disk's reads are those of everybody, who all miss the page cache that was dropped."""
        self.storages.start("g01")
        http = f"127.0.0.1:{self.storages.http_ports['g01']}"
        tracker = f"127.0.0.1:{self.storages.tracker_port}"
        ways = {
            f"{name}, {connections} at a time": [*words, "-c", connections, *more]
            for name, words, more in (
                ("HTTP", ["load_http", "-a", http], ["-k", 1]),
                ("FastDFS", ["load_cluster", "-t", tracker, "-k", "get"], []))
            for connections in (1, CONNECTIONS)}
        rig.wait_for("the tracker knows the storage", lambda: rig.ask_fdfs(tracker, 91) != b"")
        reads = min(COLD_READS, len(self.pictures) // 4)
        # One of each volume first: where its blocks are is read once, not once a picture.
        volumes = {name.rpartition("/")[0]: (name, *more) for name, *more in self.pictures}
        known = write_list(os.path.join(self.home, "known.list"), volumes.values())
        say("volumes", len(volumes))
        for name, words in ways.items():
            per_picture, its_own, over, rates, p50 = [], [], [], [], []
            server = self.storages.servers["g01"]
            for _ in range(COLD_BATCHES):
                chosen = random.sample(self.pictures, reads)
                listed = write_list(os.path.join(self.home, "cold.list"), chosen)
                drop_caches()
                self.drive(*words, known)
                with OwnReads(server.process.pid) as own:
                    before, before_bytes = self.disk.reads(), server.read_bytes()
                    result = self.drive(*words, listed)
                    per_picture.append((self.disk.reads() - before) / reads)
                if own.count is not None:
                    its_own.append(own.count / reads)
                over.append((server.read_bytes() - before_bytes) / result["bytes"])
                rates.append(result["rate"])
                p50.append(result["p50_us"])
            say(f"cold, {name}: disk reads a picture", spread(per_picture, "{:.3f}"), "1",
                statistics.median(its_own or per_picture) < 1.05)
            if its_own:
                say("  those of storage_server alone, by perf", spread(its_own, "{:.3f}"))
            say("  bytes read by storage_server to those of pictures", spread(over, "{:.3f}"))
            say("  pictures a second; median us", f"{statistics.median(rates):.0f}; "
                f"{statistics.median(p50):.0f}")
        self.storages.stop("g01")

    def delete(self):
        random.shuffle(self.pictures)
        count = len(self.pictures) // 4
        going, self.pictures = self.pictures[:count], self.pictures[count:]
        gone = sum(length for _, length, _ in going)
        self.storages.start("g01")
        tracker = f"127.0.0.1:{self.storages.tracker_port}"
        rig.wait_for("the tracker knows the storage", lambda: rig.ask_fdfs(tracker, 91) != b"")
        before = on_disk(self.folder)
        rates = []
        edges = [i * count // PIECES for i in range(PIECES + 1)]
        for start, end in zip(edges, edges[1:]):
            listed = write_list(os.path.join(self.home, "going.list"), going[start:end])
            rates.append(self.drive("load_cluster", "-t", tracker, "-k", "delete",
                                    "-c", CONNECTIONS, listed)["rate"])
        say(f"deletes a second, a quarter ({count})", spread(rates, "{:.0f}"))
        end = last = time.monotonic()
        least = min(before, on_disk(self.folder))

        def no_more_comes():
            nonlocal last, least
            now = on_disk(self.folder)
            if now < least:
                last, least = time.monotonic(), now
            return time.monotonic() > max(last, end + PUNCH_DELAY_S) + QUIET_S
        rig.wait_for("the space of what was deleted", no_more_comes, longest_s=ERASE_S)
        say("of their bytes the disk has back", f"{100 * (before - least) / gone:.1f} %, the last "
            f"{last - end:.0f} s after the last delete")
        self.storages.stop("g01")
        return count

    def fsck(self, deleted, *options):
        """Every record, from the disk; ends the benchmark unless all are there and right."""
        drop_caches()
        start = time.monotonic()
        done = subprocess.run(
            [ours.program(self.bench.build, "picstore"), "fsck", "--json", *options,
             "-c", self.storages.conf, "g01"], capture_output=True, text=True, check=False)
        seconds = time.monotonic() - start
        if done.returncode != 0:
            raise rig.Failure(f"picstore fsck: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        totals = json.loads(done.stdout.splitlines()[-1])
        if (totals["pictures"], totals["deleted"]) != (len(self.pictures), deleted):
            raise rig.Failure(f"picstore fsck finds {totals}, but {len(self.pictures)} pictures "
                              f"were stored and are not deleted, {deleted} are")
        words = " ".join(["picstore fsck", *options])
        say(f"{words}, cache dropped", f"{seconds:.1f} s, {totals['pictures'] / seconds:.0f} "
            f"pictures and {totals['picture_bytes'] / seconds / 1e6:.0f} MB a second")
        return totals

    def run(self):
        self.upload()
        self.space()
        self.starts()
        self.memory()
        self.cold()
        self.fsck(0)
        self.fsck(0, "--quick")
        gone = self.delete()
        waiting = self.fsck(gone)["unerased"]
        say("deleted pictures whose bytes are still there", f"{waiting}")
        over = 100 * (on_disk(self.folder) / sum(length for _, length, _ in self.pictures) - 1)
        say("on the disk over what is left", f"{over:.1f} %")
        say("load average", f"{os.getloadavg()[0]:.1f}")


def scale(bench):
    random.seed(1)
    run = Scale(bench)
    try:
        run.run()
    finally:
        run.storages.stop()
        shutil.rmtree(run.home)

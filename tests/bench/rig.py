"""What the benchmarks need around them: processes, ports, CPU times, inputs, tables.

Everything lives in one scratch folder and is stopped by the process ids that were
started here, nothing else."""

import io
import json
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")
READY_S = 20


class Failure(Exception):
    """A benchmark cannot go on; the text says why."""


def install_rivals():
    """What packages/bench lists, as ./run and ./test install theirs."""
    done = subprocess.run(
        ["bash", "-c", 'set -euo pipefail; . "$0/install.sh"; install_packages "$0/run" "$0/bench"',
         os.path.join(TOP, "packages")], check=False)
    if done.returncode != 0:
        raise Failure("the rivals cannot be installed")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(address):
    """Does somebody accept connections there?  A port number or a socket's path."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as probe:
        probe.settimeout(1)
        try:
            probe.connect(address if isinstance(address, str) else ("127.0.0.1", address))
        except OSError:
            return False
    return True


def ask_fdfs(address, command):
    """The body of the answer to a request without one; empty if it failed."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), READY_S) as server:
        server.sendall(struct.pack(">qBB", 0, command, 0))
        answer, length = b"", 10
        while len(answer) < length:
            piece = server.recv(65536)
            if not piece:
                raise Failure(f"{address} closes the connection")
            answer += piece
            if len(answer) >= 10:
                length = 10 + struct.unpack(">q", answer[:8])[0]
    return answer[10:]


def wait_for(what, condition, process=None, longest_s=READY_S):
    deadline = time.monotonic() + longest_s
    while not condition():
        if process is not None and process.poll() is not None:
            raise Failure(f"{what}: ended with status {process.returncode}")
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not ready after {longest_s} s")
        time.sleep(0.002)


def stat_fields(pid):
    """The program's name and the fields of /proc/PID/stat from the third on."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            start, _, rest = stat.read().rpartition(")")
    except OSError:
        return None, []
    name = start.partition("(")[2]
    return {"cache-main": "varnishd"}.get(name, name), rest.split()


def descendants(pid):
    found = [pid]
    for parent in found:
        try:
            tasks = os.listdir(f"/proc/{parent}/task")
        except OSError:
            continue
        for task in tasks:
            try:
                with open(f"/proc/{parent}/task/{task}/children", encoding="ascii") as children:
                    found += [int(child) for child in children.read().split()]
            except OSError:
                pass
    return found


class Server:
    """A process and all that it starts."""

    def __init__(self, argv, log, env=None, **options):
        self.name = os.path.basename(argv[0])
        with open(log, "ab") as out:
            # A session each, as a supervisor gives them: the scheduler groups by session.
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=dict(os.environ, **(env or {})), start_new_session=True, **options)
        self.log = log

    def wait_ready(self, *addresses):
        try:
            for address in addresses:
                wait_for(f"{self.name} at {address}", lambda: answers(address), self.process)
        except Failure as failure:
            raise Failure(f"{failure}\n{self.log_tail()}") from None

    def wait_said(self, text):
        try:
            wait_for(self.name, lambda: text in self.log_tail(), self.process)
        except Failure as failure:
            raise Failure(f"{failure}\n{self.log_tail()}") from None

    def log_tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()[-2000:]

    def cpu_us(self):
        """User and system time so far by program, of every process that is alive."""
        total = {}
        for pid in descendants(self.process.pid):
            name, fields = stat_fields(pid)
            if fields:
                total[name] = total.get(name, 0) + (int(fields[11]) + int(fields[12])) * TICK_US
        return total

    def memory_kb(self, key):
        """A line of /proc/PID/status, "VmRSS" or "RssAnon"."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith(key + ":"):
                    return int(line.split()[1])
        raise Failure(f"{self.name} has no {key}")

    def on_cpu_ms(self):
        """Processor time of its threads that are alive, finer than cpu_us."""
        folder = f"/proc/{self.process.pid}/task"
        total = 0
        for task in os.listdir(folder):
            with open(f"{folder}/{task}/schedstat", encoding="ascii") as stat:
                total += int(stat.read().split()[0])
        return total / 1e6

    def read_bytes(self):
        """What it had to be read from a disk for."""
        with open(f"/proc/{self.process.pid}/io", encoding="ascii") as io_file:
            return int(dict(line.split(": ") for line in io_file)["read_bytes"])

    def peak_kb(self):
        """The most memory that was resident at once, by program, of all that are alive."""
        total = {}
        for pid in descendants(self.process.pid):
            name, _ = stat_fields(pid)
            try:
                with open(f"/proc/{pid}/status", encoding="ascii") as status:
                    peak = [int(line.split()[1]) for line in status if line.startswith("VmHWM:")]
            except OSError:
                continue
            if peak:
                total[name] = total.get(name, 0) + peak[0]
        return total

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Side:
    """One of the two that are compared: its servers and how load is put on it."""

    def __init__(self, name, servers, load):
        self.name = name
        self.servers = servers
        self.load = load  # (round) -> arguments of a driver
        self.results = []


def drive(build, argv):
    """Run a load driver; its report as a dict.  Wrong answers end the benchmark."""
    argv = [os.path.join(build, "tests", "bench", argv[0]), *map(str, argv[1:])]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(argv[:6])} ...: {done.stderr.strip() or done.stdout.strip()}")
    return json.loads(done.stdout)


def measure(build, side, number):
    before = cpu_us(side.servers)
    result = drive(build, side.load(number))
    result["cpu_us"] = {name: (us - before.get(name, 0)) / result["requests"]
                        for name, us in cpu_us(side.servers).items()}
    return result


def cpu_us(servers):
    total = {}
    for server in servers:
        for name, us in server.cpu_us().items():
            total[name] = total.get(name, 0) + us
    return total


def prefer(pids):
    """Ask the scheduler to prefer these processes' sessions, so that other work on this
    machine disturbs less.  Only root may."""
    for pid in pids:
        try:
            with open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as group:
                group.write("-10")
        except OSError:
            pass


def compare(build, title, ours, rival, rounds, aim, cpu_aim=None):
    """Rounds of ours and the rival in turn, after one round that does not count.  `aim`: our
    rate is at least so many times the rival's; `cpu_aim`: our CPU time a request at most."""
    prefer([os.getpid()])
    for side in (ours, rival):
        for server in side.servers:
            prefer(descendants(server.process.pid))
    for number in range(rounds + 1):
        for side in (ours, rival):
            result = measure(build, side, number)
            if number > 0:
                side.results.append(result)
    return report(title, ours, rival, aim, cpu_aim)


def median(side, key):
    return statistics.median(result[key] for result in side.results)


def verdict(ratio, aim, at_most=False):
    if aim is None:
        return "no aim"
    reached = ratio <= aim if at_most else ratio >= aim
    return (f"aim {'at most ' if at_most else ''}{aim:.2f}: "
            f"{'reached' if reached else 'MISSED'}")


def cpu_of(result):
    return sum(result["cpu_us"].values())


def report(title, ours, rival, aim, cpu_aim=None):
    print(f"\n{title}")
    print(f"  {'':28}{'per s':>9}{'p50 us':>9}{'p99 us':>9}  server CPU us per request")
    for side in (ours, rival):
        cpu = {name: statistics.median(result["cpu_us"].get(name, 0) for result in side.results)
               for name in side.results[0]["cpu_us"]}
        parts = ", ".join(f"{name} {us:.0f}" for name, us in cpu.items() if us >= 0.5)
        print(f"  {side.name:28}{median(side, 'rate'):9.0f}{median(side, 'p50_us'):9.0f}"
              f"{median(side, 'p99_us'):9.0f}  {sum(cpu.values()):.0f} ({parts})")
    for side in (ours, rival):
        peak = {}
        for server in side.servers:
            for name, kilobytes in server.peak_kb().items():
                peak[name] = peak.get(name, 0) + kilobytes
        parts = ", ".join(
            f"{name} {kilobytes / 1024:.0f}" for name, kilobytes in peak.items()
            if any(result["cpu_us"].get(name, 0) >= 0.5 for result in side.results))
        if parts:
            print(f"  {side.name:28}peak memory, MB: {parts}")
    ratios = [a["rate"] / b["rate"] for a, b in zip(ours.results, rival.results)]
    ratio = median(ours, "rate") / median(rival, "rate")
    answered = sum(result["requests"] for side in (ours, rival) for result in side.results)
    checked = sum(result["checked"] for side in (ours, rival) for result in side.results)
    print(f"  rate, ratio {ratio:.2f} (rounds {min(ratios):.2f} to {max(ratios):.2f}), "
          f"{verdict(ratio, aim)}; {answered} answers, all right, content of {checked} compared")
    cpu = [(cpu_of(a), cpu_of(b)) for a, b in zip(ours.results, rival.results)]
    if all(a > 0 and b > 0 for a, b in cpu):
        ratios = [a / b for a, b in cpu]
        cpu_ratio = statistics.median(a for a, _ in cpu) / statistics.median(b for _, b in cpu)
        print(f"  CPU, ratio {cpu_ratio:.2f} (rounds {min(ratios):.2f} to {max(ratios):.2f}), "
              f"{verdict(cpu_ratio, cpu_aim, at_most=True)}")
    sys.stdout.flush()
    return ratio


def cache_hits(varnish_dir):
    done = subprocess.run(["varnishstat", "-1", "-n", varnish_dir, "-f", "MAIN.cache_hit"],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"varnishstat: {done.stderr.strip()}")
    return int(done.stdout.split()[1])


PHOTOGRAPHS = "/usr/share/backgrounds"  # of Debian's lomiri-wallpapers-16.04
MEGABYTE = 1000


def megabyte():
    """A JPEG of about a million bytes, of a photograph."""
    import PIL.Image
    names = sorted(name for name in os.listdir(PHOTOGRAPHS) if name.startswith("seeding_"))
    with PIL.Image.open(os.path.join(PHOTOGRAPHS, names[0])) as photo:
        photo = photo.convert("RGB")
    found = b""
    for quality in range(60, 100):
        out = io.BytesIO()
        photo.save(out, "JPEG", quality=quality)
        found = out.getvalue()
        if len(found) >= MEGABYTE * 1000:
            break
    return found


def read_picture(size):
    """About so many thousand bytes of a photograph: 4, 43, 230 or 1000."""
    if size == MEGABYTE:
        return megabyte()
    with open(os.path.join(TOP, "tests", "data", "photos", f"seeding-{size}k.jpg"), "rb") as file:
        return file.read()


COMMENT_AT = 6  # in what commented() returns, 16 bytes that may be anything


def commented(jpeg):
    """The picture with a comment at its start, where a number can stand without harm."""
    return jpeg[:2] + b"\xff\xfe\x00\x12" + bytes(16) + jpeg[2:]


def stamped(picture, number):
    """The picture as load_fdfs sends it under that number."""
    middle = len(picture) // 2
    return picture[:middle] + b"%08x" % number + picture[middle + 8:]


def write_files(picture, count, folder, list_file):
    """The same pictures as plain files, for the rival, with the list for load_http."""
    os.makedirs(folder)
    with open(list_file, "w", encoding="ascii") as out:
        for number in range(count):
            data = stamped(picture, number)
            name = f"{number:06d}.jpg"
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)
            out.write(f"/{name} {len(data)} {zlib.crc32(data):08x}\n")

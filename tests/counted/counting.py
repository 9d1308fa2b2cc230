#!/usr/bin/python3
"""counting.py - how many instructions of ours the hot paths take.

    tests/counted/counting.py            print the counts beside those in counts.json
    tests/counted/counting.py --write    write them there: a change on purpose

Instructions are counted by callgrind, and only those of our own objects: what the C
library, libdeflate and the others take depends on the processor, for which they choose
their code at run time; ours is compiled once.  A path is run with few repetitions and
with many, and the difference divided: starting and stopping cancel out."""
import argparse
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tests/integration"))
import fastcgi  # noqa: E402
import fdfs  # noqa: E402

FILE = pathlib.Path(__file__).with_name("counts.json")
FEW, MANY = 50, 250
READY_S = 60
PICTURE = b"\xff\xd8\xff\xe0" + bytes(4092)

CONF = """\
[picstore]
run_dir = {folder}
secret_dir = {folder}
log_level = warn
[fdfs]
tracker_server = 127.0.0.1:1
[tracker]
beat_interval = 50m
beat_timeout = 1h
[storage g01]
listen = 127.0.0.1:{storage}
http_listen = unix:{folder}/http.sock
http_threads = 1
store_path = {folder}/g01
[download]
listen = unix:{folder}/download.sock
threads = 1
[admin_proxy]
listen = 127.0.0.1:{proxy}
check_interval = 1h
cut_svr = none
del_svr = none
cs_del_svr = none
metadata_dbsvr = none
sess_check_svr = 127.0.0.1:{back_end}
"""


def own_instructions(file, program):
    """Of a callgrind.out, what was executed in functions of `program` itself."""
    total, all_of_it, summary, ours, inclusive = 0, 0, 0, False, False
    names = {}
    for line in pathlib.Path(file).read_text().splitlines():
        if match := re.match(r"ob=\((\d+)\)(?: (.+))?$", line):
            number, name = match.groups()
            if name:
                names[number] = name
            ours = os.path.basename(names[number]) == program
        elif match := re.match(r"cob=\((\d+)\) (.+)$", line):
            names[match.group(1)] = match.group(2)
        elif line.startswith("calls="):
            inclusive = True  # the next line is what the callee took
        elif re.match(r"[0-9+*-]", line):
            if not inclusive:
                all_of_it += int(line.split()[1])
                total += int(line.split()[1]) if ours else 0
            inclusive = False
        elif line.startswith("totals:"):
            summary = int(line.split()[1])
    assert total > 0, f"{file} has nothing of {program}"
    assert all_of_it == summary, f"{file} was not understood: {all_of_it} of {summary}"
    return total


class Counter:
    def __init__(self, build, folder):
        self.build, self.folder, self.number = pathlib.Path(build), pathlib.Path(folder), 0
        self.ports = {name: self.free_port() for name in ("storage", "proxy", "back_end")}
        (self.folder / "g01").mkdir()
        self.conf = self.folder / "picstore.conf"
        self.conf.write_text(CONF.format(folder=folder, **self.ports))

    @staticmethod
    def free_port():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    def valgrind(self, argv):
        self.number += 1
        out = self.folder / f"callgrind.{self.number}"
        return out, ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}", *map(str, argv)]

    def of_program(self, *argv):
        """A program that does its work and ends."""
        out, words = self.valgrind(argv)
        subprocess.run(words, check=True, timeout=120, stdout=subprocess.DEVNULL)
        return own_instructions(out, os.path.basename(argv[0]))

    def of_daemon(self, program, options, use):
        """A daemon: `use` is called when it is ready."""
        out, words = self.valgrind([self.build / "src/programs" / program / program, "-c", self.conf, *options])
        with self.running(words):
            use()
        return own_instructions(out, program)

    @contextlib.contextmanager
    def running(self, words):
        read_end, write_end = os.pipe()
        with open(self.folder / "log", "ab") as log, subprocess.Popen(
                words, pass_fds=[write_end], stderr=log,
                env={**os.environ, "PICSTORE_READY_FD": str(write_end)}) as process:
            try:
                os.close(write_end)
                with os.fdopen(read_end, "rb") as ready:
                    assert ready.read(1) == b"\n", (self.folder / "log").read_text()
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(READY_S)

    def paths(self):
        """name: function from a number of repetitions to instructions."""
        driver = self.build / "tests/counted/counted_paths"
        return {
            "id parse": lambda count: self.of_program(driver, "parse", 20 * count) // 20,
            "read of a record": lambda count: self.of_program(driver, "read", count, self.fresh()),
            "upload of a record": lambda count: self.of_program(driver, "upload", count, self.fresh()),
            "package through admin_proxy": self.proxied,
            "FastCGI request": self.over_fastcgi,
            "HTTP request": self.over_http,
        }

    def fresh(self):
        path = self.folder / f"store.{self.number}"
        path.mkdir()
        return path

    def picture(self):
        if not hasattr(self, "stored"):
            storage = self.build / "src/programs/storage_server/storage_server"
            with self.running([storage, "-c", self.conf, "-i", "g01"]):
                with fdfs.Client(self.ports["storage"]) as client:
                    self.stored = client.upload(PICTURE)
        return "/" + self.stored

    def over_fastcgi(self, count):
        target = self.picture()

        def use():
            for _ in range(count):
                status, _, body = fastcgi.request(self.folder / "download.sock", "GET", target, [])
                assert status == 200 and body == PICTURE
        return self.of_daemon("download.fcgi", [], use)

    def over_http(self, count):
        target = self.picture()

        def use():
            link = http.client.HTTPConnection("storage")
            link.sock = socket.socket(socket.AF_UNIX)
            link.sock.connect(str(self.folder / "http.sock"))
            for _ in range(count):
                link.request("GET", target)
                answer = link.getresponse()
                assert answer.status == 200 and answer.read() == PICTURE
            link.close()
        return self.of_daemon("storage_server", ["-i", "g01"], use)

    def proxied(self, count):
        frames = self.build / "tests/bench/load_frames"

        def use():
            subprocess.run([frames, "-a", f"127.0.0.1:{self.ports['proxy']}", "-c", "1", "-n", str(count)],
                           check=True, timeout=60, stdout=subprocess.DEVNULL)
        with subprocess.Popen([frames, "-s", f"127.0.0.1:{self.ports['back_end']}"]) as back_end:
            try:
                self.wait_for(self.ports["back_end"])
                return self.of_daemon("admin_proxy", [], use)
            finally:
                back_end.terminate()

    @staticmethod
    def wait_for(port):
        end = time.monotonic() + READY_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
                return
            except OSError:
                assert time.monotonic() < end, f"nobody listens on {port}"
                time.sleep(0.02)


def compiler(build):
    """What the counts depend on: "GCC: (Debian ...) 12.2.0, x86_64, debugoptimized, none"."""
    build = pathlib.Path(build)
    noted = subprocess.run(["readelf", "-p", ".comment", build / "tests/counted/counted_paths"],
                           check=True, capture_output=True, text=True).stdout
    options = {one["name"]: one["value"] for one in
               json.loads((build / "meson-info/intro-buildoptions.json").read_text())}
    return ", ".join([re.search(r"\]\s+(.*)", noted).group(1), os.uname().machine,
                      options["buildtype"], options["b_sanitize"]])


def count(build, names=None):
    """name: instructions a repetition."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="picstore-counted-") as folder:
        counter = Counter(build, folder)
        for name, path in counter.paths().items():
            if names is None or name in names:
                found[name] = round((path(MANY) - path(FEW)) / (MANY - FEW))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--build", default=TREE / "build")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    found, known = count(options.build), json.loads(FILE.read_text()) if FILE.exists() else {}
    for name, number in found.items():
        print(f"{name:32}{number:10}{known.get('counts', {}).get(name, 0):10}")
    if options.write:
        FILE.write_text(json.dumps({"compiler": compiler(options.build), "counts": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()

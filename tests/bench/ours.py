"""Our side: storages by themselves, and the whole chain as "picstore up" starts it."""

import json
import os
import pwd
import select
import socket
import struct
import subprocess
import time
import zlib

from rig import Failure, READY_S, Server, free_port

STORAGES_CONF = """\
[picstore]
run_dir = {home}/run
secret_dir = {home}/secret
log_level = warn
[fdfs]
tracker_server = 127.0.0.1:{tracker}
[tracker]
listen = 127.0.0.1:{tracker}
"""

STORAGE_CONF = """\
[storage {group}]
listen = 127.0.0.1:{port}
{paths}engine = {engine}
http_listen = 127.0.0.1:{http}
"""


def program(build, name):
    return os.path.join(build, "src", "programs", name, name)


class Storages:
    """A tracker and storage_servers, each a group of its own with an engine of its own."""

    def __init__(self, build, home, engines, more=""):
        """`engines` by group; `more` are lines of settings for each of the storages."""
        self.build = build
        self.home = home
        self.conf = os.path.join(home, "picstore.conf")
        self.log = os.path.join(home, "storages.log")
        self.ports = {group: free_port() for group in engines}
        self.http_ports = {group: free_port() for group in engines}
        self.tracker_port = free_port()
        self.servers = {}
        for folder in ("run", "secret", *engines):
            os.makedirs(os.path.join(home, folder), mode=0o700, exist_ok=True)
        with open(self.conf, "w", encoding="ascii") as conf:
            conf.write(STORAGES_CONF.format(home=home, tracker=self.tracker_port))
            for group, engine in engines.items():
                conf.write(STORAGE_CONF.format(
                    group=group, port=self.ports[group], engine=engine,
                    paths="" if engine == "rados" else f"store_path = {home}/{group}\n",
                    http=self.http_ports[group]) + more)

    def start_tracker(self):
        self.servers["tracker"] = Server(
            [program(self.build, "tracker_server"), "-c", self.conf], self.log)
        self.servers["tracker"].wait_ready(self.tracker_port)

    def start(self, group):
        """Start one; returns the milliseconds from exec until it reported ready."""
        read_end, write_end = os.pipe()
        start = time.monotonic()
        server = Server([program(self.build, "storage_server"), "-c", self.conf, "-i", group],
                        self.log, env={"PICSTORE_READY_FD": str(write_end)},
                        pass_fds=[write_end])
        os.close(write_end)
        self.servers[group] = server
        with os.fdopen(read_end, "rb") as ready:
            if not select.select([ready], [], [], READY_S)[0] or ready.read(1) != b"\n":
                raise Failure(f"storage_server {group} does not get ready:\n{server.log_tail()}")
        return (time.monotonic() - start) * 1000

    def stop(self, *groups):
        for group in groups or list(self.servers):
            if group in self.servers:
                self.servers.pop(group).stop()


def download(port, path, length, crc):
    """GET over the FastDFS protocol; wrong bytes end the benchmark."""
    group, _, name = path.strip("/").partition("/")
    request = struct.pack(">qBBqq16s", 32 + len(name), 14, 0, 0, 0, group.encode())
    with socket.create_connection(("127.0.0.1", port), 10) as server:
        server.sendall(request + name.encode())
        answer = b""
        while len(answer) < 10 + length:
            piece = server.recv(1 << 20)
            if not piece:
                break
            answer += piece
    if answer[:10] != struct.pack(">qBB", length, 100, 0) or zlib.crc32(answer[10:]) != crc:
        raise Failure(f"{path} comes back with other bytes")


def read_list(file):
    with open(file, encoding="ascii") as lines:
        for line in lines:
            path, length, crc = line.split()
            yield path, int(length), int(crc, 16)


CHAIN_CONF = """\
[picstore]
secret_dir = ../secret
log_level = warn
[fdfs]
tracker_server = 127.0.0.1:{tracker}
[tracker]
listen = 127.0.0.1:{tracker}
[storage g01]
listen = 127.0.0.1:{storage}
store_path = ../data/g01
http_listen = unix:{home}/http.sock
[varnish]
fetch_from = {fetch_from}
listen = 127.0.0.1:{public}
servers = 127.0.0.1:{public}
public_url = http://127.0.0.1:{public}
cache = {cache}
[http]
gateway = 127.0.0.1:{gateway}
[del_svr]
listen = 127.0.0.1:{del_svr}
instances = 1
[cs_del_svr]
listen = 127.0.0.1:{cs_del_svr}
instances = 1
"""


def give_away(home):
    """Started by root, "picstore up" becomes whoever its home belongs to: not root."""
    if os.geteuid() != 0:
        return
    names = [entry.pw_name for entry in pwd.getpwall()]
    owner = pwd.getpwnam("picstore" if "picstore" in names else "nobody")
    for folder, _, files in os.walk(home):
        for path in (folder, *(os.path.join(folder, name) for name in files)):
            os.chown(path, owner.pw_uid, owner.pw_gid)


class Chain:
    """Varnish, lighttpd, download.fcgi, tracker and storage, as users run them."""

    def __init__(self, build, home, cache, fetch_from="lighttpd", more=""):
        """`more`: sections of settings."""
        ports = {name: free_port() for name in ("tracker", "storage", "public", "gateway",
                                                "del_svr", "cs_del_svr")}
        self.ports = ports
        self.port = ports["public"]
        self.storage_port = ports["storage"]
        os.makedirs(os.path.join(home, "etc"))
        self.conf = os.path.join(home, "etc", "picstore.conf")
        with open(self.conf, "w", encoding="ascii") as conf:
            conf.write(CHAIN_CONF.format(
                cache=cache, home=home, fetch_from=fetch_from, **ports) + more)
        self.home = home
        self.build = build
        self.gateway = ports["gateway"]
        give_away(home)
        up = Server([program(build, "picstore"), "up", "--no-self-test", "--home", home],
                    os.path.join(home, "up.log"))
        self.servers = [up]
        try:
            up.wait_said("Pictures go in")
        except BaseException:
            self.stop()
            raise

    def varnish_dir(self):
        """Where "picstore up" had varnishd put its figures: it notes that in the settings."""
        with open(self.conf, encoding="ascii") as conf:
            for line in conf:
                key, _, value = line.partition("=")
                if key.strip() == "name":
                    return value.strip()
        raise Failure(f"{self.conf} does not name the varnishd")

    def session_key(self):
        """For uploads, good for longer than any benchmark takes."""
        done = subprocess.run(
            [program(self.build, "picstore"), "token", "--expires", "12h", "-c", self.conf],
            capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"picstore token: {done.stderr.strip()}")
        return done.stdout.strip()

    def figures(self, name):
        """What a daemon has counted."""
        with socket.socket(socket.AF_UNIX) as stat:
            stat.connect(os.path.join(self.home, "run", name + ".stat"))
            text = b""
            while piece := stat.recv(65536):
                text += piece
        return json.loads(text)["counters"]

    def stop(self):
        for server in self.servers:
            server.stop()

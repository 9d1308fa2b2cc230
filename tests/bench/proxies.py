"""admin_proxy and its rival, HAProxy in TCP mode, each in front of the same back ends."""

import os

from ours import program
from rig import Server, free_port

PROXY_CONF = """\
[picstore]
run_dir = {folder}/run
secret_dir = {folder}/secret
log_level = warn
[admin_proxy]
listen = 127.0.0.1:{port}
cut_svr = none
del_svr = none
cs_del_svr = none
metadata_dbsvr = none
sess_check_svr = {back_ends}
"""

HAPROXY_CONF = """\
global
    nbthread 1
    maxconn 8000
defaults
    mode tcp
    timeout connect 2s
    timeout client 60s
    timeout server 60s
listen frames
    bind 127.0.0.1:{port}
    balance leastconn
{servers}
"""


class Proxies:
    """Two back ends, an admin_proxy and an HAProxy, each of one thread."""

    def __init__(self, build, folder):
        self.servers, self.back_ends = [], [f"127.0.0.1:{free_port()}" for _ in range(2)]
        self.ours, self.rival = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        log = os.path.join(folder, "log")
        conf, haproxy_conf = os.path.join(folder, "conf"), os.path.join(folder, "haproxy")
        with open(conf, "w", encoding="ascii") as file:
            file.write(PROXY_CONF.format(folder=folder, port=self.ours.split(":")[1],
                                         back_ends=" ".join(self.back_ends)))
        with open(haproxy_conf, "w", encoding="ascii") as file:
            file.write(HAPROXY_CONF.format(
                port=self.rival.split(":")[1],
                servers="\n".join(f"    server s{number} {where} check"
                                  for number, where in enumerate(self.back_ends))))
        try:
            load = os.path.join(build, "tests", "bench", "load_frames")
            for where in self.back_ends:
                self.start([load, "-s", where], log, where)
            self.proxy = self.start([program(build, "admin_proxy"), "-c", conf], log, self.ours)
            self.haproxy = self.start(["haproxy", "-db", "-f", haproxy_conf], log, self.rival)
        except BaseException:
            self.stop()
            raise

    def start(self, argv, log, where):
        server = Server(argv, log)
        self.servers.append(server)
        server.wait_ready(int(where.split(":")[1]))
        return server

    def stop(self):
        for server in reversed(self.servers):
            server.stop()

"""metadata_dbsvr by itself and behind an admin_proxy, on a database in one folder."""

import os

from ours import program
from rig import Server, free_port

CONF = """\
[picstore]
run_dir = {folder}/run
secret_dir = {folder}/secret
log_level = warn
[metadata_dbsvr]
listen = {direct}
folder = {folder}/photos
[admin_proxy]
listen = {proxied}
cut_svr = none
del_svr = none
cs_del_svr = none
sess_check_svr = none
metadata_dbsvr = {direct}
"""


class Photos:
    def __init__(self, build, folder):
        self.direct, self.proxied = (f"127.0.0.1:{free_port()}" for _ in range(2))
        log, conf = os.path.join(folder, "log"), os.path.join(folder, "conf")
        with open(conf, "w", encoding="ascii") as file:
            file.write(CONF.format(folder=folder, direct=self.direct, proxied=self.proxied))
        self.servers = []
        try:
            for name, where in (("metadata_dbsvr", self.direct), ("admin_proxy", self.proxied)):
                self.servers.append(Server([program(build, name), "-c", conf], log))
                self.servers[-1].wait_ready(int(where.split(":")[1]))
        except BaseException:
            self.stop()
            raise

    def stop(self):
        for server in reversed(self.servers):
            server.stop()

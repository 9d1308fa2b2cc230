"""The rivals: Varnish with a default VCL, in front of lighttpd that serves plain files."""

import os

from rig import Server, free_port

LIGHTTPD_CONF = """\
server.document-root = "{root}"
server.bind = "127.0.0.1"
server.port = {files}
$SERVER["socket"] == "{socket}" {{ }}
server.errorlog = "{folder}/lighttpd-error.log"
server.max-connections = 4096
server.max-fds = 18000
mimetype.assign = ( ".jpg" => "image/jpeg" )
"""

NGINX_CONF = """\
daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 4096; }}
http {{
	access_log off;
	sendfile on;
	tcp_nopush on;
	keepalive_requests 1000000000;
	open_file_cache max=50000 inactive=10m;
	open_file_cache_valid 10m;
	types {{ image/jpeg jpg; }}
	server {{
		listen 127.0.0.1:{files} backlog=1024;
		listen unix:{socket};
		root {root};
	}}
}}
"""

BARE_VCL = """\
vcl 4.1;
backend files {{ {backend}; }}
"""


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def start_nginx(folder, root, port, socket, log):
    """nginx as those set it up who serve files with it: sendfile, descriptors kept open."""
    conf = write(folder, "nginx.conf", NGINX_CONF.format(
        root=root, socket=socket, files=port, folder=folder))
    return Server(["/usr/sbin/nginx", "-p", folder, "-e", "stderr", "-c", conf], log)


class NginxFiles:
    """nginx at `port` with `root` as its files."""

    def __init__(self, folder, root):
        self.port = free_port()
        socket = os.path.join(folder, "nginx.sock")
        nginx = start_nginx(folder, root, self.port, socket, os.path.join(folder, "rivals.log"))
        self.servers = [nginx]
        try:
            nginx.wait_ready(self.port)
        except BaseException:
            nginx.stop()
            raise


class PlainFiles:
    """Varnish, bare, at `port` in front of lighttpd, bare, with `root` as its files; or,
    with origin = "nginx", in front of that.

    Between them is a port, as in the default.vcl that comes with Varnish, or, if
    `by_socket`, a unix socket, as picstore has it."""

    def __init__(self, folder, shm, root, cache, by_socket=False, origin="lighttpd"):
        self.servers = []
        socket = os.path.join(folder, "plain.sock")
        log = os.path.join(folder, "rivals.log")
        files = free_port()
        backend = f'.path = "{socket}"' if by_socket else f'.host = "127.0.0.1"; .port = "{files}"'
        conf = write(folder, "plain.conf", LIGHTTPD_CONF.format(
            root=root, socket=socket, files=files, folder=folder))
        vcl = write(folder, "bare.vcl", BARE_VCL.format(backend=backend))
        self.varnish_dir = os.path.join(shm, "bare")
        self.port = free_port()
        os.makedirs(self.varnish_dir)
        try:
            if origin == "nginx":
                server = start_nginx(folder, root, files, socket, log)
            else:
                server = Server(["lighttpd", "-D", "-f", conf], log)
            self.servers.append(server)
            server.wait_ready(socket, files)
            varnish = Server([
                "varnishd", "-F", "-j", "none", "-n", self.varnish_dir, "-f", vcl,
                "-a", f"127.0.0.1:{self.port}", "-s", f"malloc,{cache}"], log)
            self.servers.insert(0, varnish)
            varnish.wait_ready(self.port)
        except BaseException:
            self.stop()
            raise

    def stop(self):
        for server in self.servers:
            server.stop()

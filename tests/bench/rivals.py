"""The rivals that speak HTTP: Varnish with a default VCL, lighttpd and nginx with plain files,
nginx that takes files in, nginx as a cache."""

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

NGINX_DAV_CONF = """\
daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 4096; }}
http {{
	access_log off;
	keepalive_requests 1000000000;
	client_max_body_size 8m;
	client_body_temp_path {folder}/body;
	server {{
		listen 127.0.0.1:{port} backlog=1024;
		root {folder}/root;
		dav_methods PUT;
		create_full_put_path on;
	}}
}}
"""

NGINX_CACHE_CONF = """\
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
	proxy_temp_path {folder}/temp;
	proxy_cache_path {folder}/cache levels=1:2 keys_zone=pictures:64m max_size=4g
		inactive=1h use_temp_path=off;
	upstream files {{
		server 127.0.0.1:{files};
		keepalive 32;
	}}
	server {{
		listen 127.0.0.1:{port} backlog=1024;
		location / {{
			proxy_pass http://files;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_cache pictures;
			proxy_cache_valid 200 1h;
			add_header X-Cache $upstream_cache_status;
		}}
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


def nginx_with(folder, conf, writable, port):
    """nginx with its own folders; its workers are not root, so that these are open to all."""
    os.makedirs(folder, exist_ok=True)
    for name in writable:
        path = os.path.join(folder, name)
        os.makedirs(path)
        os.chmod(path, 0o777)
    path = write(folder, "nginx.conf", conf)
    server = Server(["/usr/sbin/nginx", "-p", folder, "-e", "stderr", "-c", path],
                    os.path.join(folder, "rivals.log"))
    try:
        server.wait_ready(port)
    except BaseException:
        server.stop()
        raise
    return server


class NginxDav:
    """nginx at `port` that keeps what is PUT as files; it does not wait for the disk."""

    def __init__(self, folder):
        self.port = free_port()
        self.root = os.path.join(folder, "root")
        self.servers = [nginx_with(
            folder, NGINX_DAV_CONF.format(folder=folder, port=self.port), ("root", "body"),
            self.port)]

    def stop(self):
        self.servers[0].stop()


class NginxCache:
    """nginx at `port` with proxy_cache, in front of another one that has files in `root`."""

    def __init__(self, folder, root):
        files = NginxFiles(folder, root)
        self.servers = files.servers
        self.port = free_port()
        front = os.path.join(folder, "front")
        try:
            self.servers.insert(0, nginx_with(
                front, NGINX_CACHE_CONF.format(folder=front, port=self.port, files=files.port),
                ("cache", "temp"), self.port))
        except BaseException:
            self.stop()
            raise

    def stop(self):
        for server in self.servers:
            server.stop()


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

"""admin_proxy for clients that speak TLS."""
import os
import signal
import socket
import ssl
import subprocess
import threading

import pytest

import frames
from frames import CUT, package
from proxy import free_port
from wait import until


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A folder: ca.pem, and key and certificate of a server, a client and a stranger."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    for ca in ("ca", "strange-ca"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={ca}",
                "-keyout", f"{ca}.key", "-out", f"{ca}.pem", "-days", "2")
    for name, ca in (("server", "ca"), ("client", "ca"), ("stranger", "strange-ca")):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
                "-addext", "subjectAltName=DNS:localhost", "-keyout", f"{name}.key",
                "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key",
                "-CAcreateserial", "-copy_extensions", "copy", "-out", f"{name}.pem", "-days", "2")
    return folder


def tls_settings(folder, port, client_ca=True):
    return {"tls_listen": f"127.0.0.1:{port}", "tls_certificate": folder / "server.pem",
            "tls_key": folder / "server.key",
            "tls_client_ca": folder / "ca.pem" if client_ca else ""}


def tls_client(folder, port, name=None, version=None):
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    if name:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    if version:
        context.minimum_version = context.maximum_version = version
    return frames.Client(port, wrap=lambda sock: context.wrap_socket(
        sock, server_hostname="localhost"))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_with_client_certificates(proxies, certificates, version):
    port = free_port()
    proxy = proxies.proxy({"cut_svr": [proxies.back_end()]},
                       tls_settings(certificates, port)).wait_in(1)
    with tls_client(certificates, port, "client", version) as client:
        assert client.ask(CUT, b"secret") == (0, b"secret")
        big = bytes(range(256)) * 3000
        assert client.ask(CUT, big) == (0, big)
        for first in range(0, 4000, 200):  # one thread alone may use a TLS socket of Python's
            client.sock.sendall(b"".join(package(CUT, b"%d" % seq, 1, seq)
                                         for seq in range(first, first + 200)))
            replies = [client.read() for _ in range(200)]
            assert sorted(replies) == [(CUT, 1, seq, 0, b"%d" % seq)
                                       for seq in range(first, first + 200)]
    for name in (None, "stranger"):
        with pytest.raises((ssl.SSLError, frames.Closed, ConnectionError)):
            with tls_client(certificates, port, name, version) as client:
                client.ask(CUT)
    with frames.Client(port) as client:  # no TLS at all
        client.send(CUT)
        with pytest.raises((frames.Closed, ConnectionError, AssertionError)):
            assert client.read() is None
    with proxy.client() as client:
        assert client.ask(CUT)[0] == 0


def test_tls_bytes_one_by_one(proxies, certificates):
    """Through a relay that cuts everything anywhere."""
    port = free_port()
    proxies.proxy({"cut_svr": [proxies.back_end()]},
               tls_settings(certificates, port, client_ca=False)).wait_in(1)
    relay = socket.create_server(("127.0.0.1", 0))

    def copy(a, b):
        try:
            while data := a.recv(65536):
                for byte in range(len(data)):
                    b.sendall(data[byte:byte + 1])
        except OSError:
            pass

    def run():
        one, _ = relay.accept()
        two = socket.create_connection(("127.0.0.1", port))
        for sock in (one, two):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=copy, args=(two, one), daemon=True).start()
        copy(one, two)
    threading.Thread(target=run, daemon=True).start()
    with tls_client(certificates, relay.getsockname()[1]) as client:
        for seq in range(5):
            assert client.ask(CUT, b"x" * 50, 1, seq) == (0, b"x" * 50)
    relay.close()


def test_tls_noise_and_silence(proxies, certificates):
    port = free_port()
    proxy = proxies.proxy({"cut_svr": [proxies.back_end()]}, tls_settings(certificates, port),
                       {"timeout": "500ms"}).wait_in(1)
    noisy = [frames.Client(port) for _ in range(20)]
    for client in noisy:
        client.sock.sendall(os.urandom(300))
    silent_ones = [frames.Client(port) for _ in range(20)]
    until(lambda: proxy.figure("connections") == 0, "they are closed")
    with tls_client(certificates, port, "client") as client:
        assert client.ask(CUT)[0] == 0
    for client in noisy + silent_ones:
        client.close()


def test_certificates_are_read_again_at_a_reload(proxies, certificates, tmp_path):
    port = free_port()
    settings = tls_settings(certificates, port)
    proxy = proxies.proxy({"cut_svr": [proxies.back_end()]}, settings).wait_in(1)
    with tls_client(certificates, port, "client") as client:
        assert client.ask(CUT)[0] == 0
        proxy.reload(tls_client_ca=certificates / "strange-ca.pem")
        assert client.ask(CUT)[0] == 0  # nobody is dropped
        with tls_client(certificates, port, "stranger") as other:
            assert other.ask(CUT)[0] == 0
        proxy.settings["tls_key"] = tmp_path / "nothing.key"
        proxy.configure()
        proxy.process.send_signal(signal.SIGHUP)
        until(lambda: "stays as it was" in proxy.log(), "it says so")
        assert client.ask(CUT)[0] == 0


def test_a_key_that_others_may_read_is_refused(proxies, certificates, tmp_path):
    key = tmp_path / "open.key"
    key.write_bytes((certificates / "server.key").read_bytes())
    key.chmod(0o644)
    settings = {**tls_settings(certificates, free_port()), "tls_key": key}
    with pytest.raises(AssertionError, match="may be used by others"):
        proxies.proxy({}, settings)

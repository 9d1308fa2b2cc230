"""test_clients.py - what back-end programmers copy or link: Python, PHP, C, and the command.

Each does the same things through admin_proxy."""
import atexit
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import PIL.Image
import pytest

import pictures
import web
from installation import BUILD, TREE
from service import Picstore, PicstoreError, refusal

PHP = TREE / "clients/php/picstore.php"
BAD_ID, NOT_FOUND, GONE, KEY_EXPIRED, SERVICE_DOWN = 2, 3, 4, 19, 25
NEVER_THERE = "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"


class Refused(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code


class Python:
    def __init__(self, stack):
        self.client = Picstore("127.0.0.1", stack.admin_proxy, user=10001, timeout=20)

    def do(self, method, *args):
        try:
            return getattr(self.client, method)(*args)
        except PicstoreError as error:
            raise Refused(error.code) from error

    def ping(self):
        self.do("ping")

    def cut(self, url):
        return self.do("cut", url, 150, 100, 300, 200, -10, 20)

    def later(self, *urls):
        self.do("delete_later", urls)

    def now(self, *urls):
        self.do("delete_now", urls)

    def session(self, key):
        return tuple(self.do("session_use", key))


class Php(Python):
    def __init__(self, stack):  # pylint: disable=super-init-not-called
        if shutil.which("php") is None:
            pytest.skip("no php")
        self.command = ["php", TREE / "tests/integration/clients.php", PHP, "127.0.0.1",
                        str(stack.admin_proxy), "little"]

    def do(self, method, *args):
        name = re.sub("_(.)", lambda match: match[1].upper(), method)
        done = subprocess.run([*self.command, name, json.dumps(args)], check=True,
                              capture_output=True, text=True, timeout=60)
        answer = json.loads(done.stdout)
        if "code" in answer:
            raise Refused(answer["code"])
        return answer["result"]


class Installed:
    """The library as `meson install` puts it, and a program that is built with it."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="picstore-clients-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir",
                        self.folder, "--tags", "runtime,devel"], check=True, capture_output=True)
        flags = self.pkg_config("--cflags", "--libs")
        self.program = self.folder / "clients"
        subprocess.run(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-o", self.program,
                        TREE / "tests/integration/clients.c", *flags.split()], check=True)
        self.library = next(self.folder.glob("**/libpicstore.so.0")).parent

    def pkg_config(self, *options):
        pc = next(self.folder.glob("**/libpicstore.pc")).parent
        return subprocess.run(
            ["pkg-config", *options, "libpicstore"], check=True, text=True, capture_output=True,
            env={**os.environ, "PKG_CONFIG_PATH": str(pc),
                 "PKG_CONFIG_SYSROOT_DIR": str(self.folder)}).stdout


class Library(Python):
    installed = None

    def __init__(self, stack):  # pylint: disable=super-init-not-called
        self.address = f"127.0.0.1:{stack.admin_proxy}"
        if Library.installed is None:
            Library.installed = Installed()

    def do(self, method, *args):
        word = {"delete_later": "later", "delete_now": "now", "session_use": "session"}.get(method, method)
        words = [w for w in args if isinstance(w, str)] or [w for a in args[:1] for w in a]
        done = subprocess.run([self.installed.program, self.address, word, *words], check=False, text=True,
                              capture_output=True, timeout=60,
                              env={**os.environ, "LD_LIBRARY_PATH": str(self.installed.library)})
        if done.returncode:
            assert done.returncode == 1, done
            raise Refused(int(done.stdout.split()[0]))
        if word == "session":
            return [int(n) for n in done.stdout.split()]
        return done.stdout.strip()


@pytest.fixture(params=[Python, Php, Library])
def client(request, stack):
    return request.param(stack)


def code_of(function, *args):
    with pytest.raises(Refused) as caught:
        function(*args)
    return caught.value.code


def stored(stack, key, seed):
    return web.stored(web.upload(stack.varnish, key, pictures.drawn(seed=seed)))


def test_a_cut(stack, session_key, client):
    source = stored(stack, session_key, 700)
    made = client.cut(source)
    assert made == client.cut(source) != source
    picture = PIL.Image.open(io.BytesIO(web.get(stack.varnish, "/" + made).body))
    assert picture.size == (150, 100)
    assert code_of(client.cut, NEVER_THERE) == NOT_FOUND
    assert code_of(client.cut, "nonsense") == BAD_ID


def test_a_deletion(stack, session_key, client):
    first, second = stored(stack, session_key, 701), stored(stack, session_key, 702)
    made = client.cut(first)
    for one in (first, second, made):
        assert web.get(stack.varnish, "/" + one).status == 200
    client.now(first, second)
    for one in (first, second, made):
        assert web.get(stack.varnish, "/" + one).status in (404, 410), one
    client.now(first)  # once more is no failure
    assert code_of(client.cut, first) == GONE


def test_a_deletion_for_later(stack, session_key, client):
    picture = stored(stack, session_key, 703)
    client.later(picture)
    assert picture in (stack.home / "log/delete.log").read_text()
    assert web.get(stack.varnish, "/" + picture).status == 200
    assert code_of(client.later, picture, "nonsense") == BAD_ID


def test_a_session(stack, client):
    key = stack.token()
    for used in range(1, 31):
        assert tuple(client.session(key)) == (used, 30 - used)
    assert code_of(client.session, key) == KEY_EXPIRED


def test_a_ping(client):
    client.ping()


def test_nobody_there():
    class Nobody:
        admin_proxy = 1
    assert code_of(Python(Nobody).ping) == 0
    assert code_of(Php(Nobody).ping) == 0
    assert code_of(Library(Nobody).ping) == SERVICE_DOWN


def test_one_connection_outlives_its_refusals(stack):
    with Picstore("127.0.0.1", stack.admin_proxy) as client:
        client.ping()
        before = client._socket  # pylint: disable=protected-access
        assert refusal(client.cut, NEVER_THERE, 10, 10) == NOT_FOUND
        assert refusal(client.call, 4711, b"?") in (15, 9)
        client.ping()
        assert client._socket is before  # pylint: disable=protected-access


def test_the_command_cuts_and_deletes(stack, session_key):
    first, second = stored(stack, session_key, 704), stored(stack, session_key, 705)
    lines = stack.picstore("cut", "64x48", first, second).stdout.splitlines()
    assert [line.split("\t")[1] for line in lines] == [first, second]
    made = lines[0].split("\t")[0]
    picture = PIL.Image.open(io.BytesIO(web.get(stack.varnish, "/" + made).body))
    assert picture.width <= 64 and picture.height <= 48
    failed = stack.picstore("cut", "64x48", "--json", first, NEVER_THERE, check=False)
    assert failed.returncode == 1
    assert [json.loads(line).get("error") for line in failed.stdout.splitlines()] == [None, "not_found"]
    assert stack.picstore("rm", "--later", first).stdout == f"{first}\tnoted\n"
    failed = stack.picstore("rm", "--now", "--json", first, "nonsense", second, check=False)
    assert failed.returncode == 1
    assert [(json.loads(line).get("result"), json.loads(line).get("error"))
            for line in failed.stdout.splitlines()] == [("deleted", None), (None, "bad_id"), ("deleted", None)]
    for one in (first, second, made):
        assert web.get(stack.varnish, "/" + one).status in (404, 410)
    assert stack.picstore("rm", "--now", "--later", first, check=False).returncode == 2


def test_the_clients_know_every_code():
    """Their words are those of docs/protocol.md, which a unit test holds against the code."""
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", (TREE / "docs/protocol.md").read_text(), re.M)
    words = [word for number, word in rows if word != "cmd"]
    assert [int(number) for number, _ in rows] == list(range(len(words)))
    assert [PicstoreError(n, None).word for n in range(len(words))] == words
    php = re.search(r"const WORDS = \[(.*?)\]", PHP.read_text(), re.S)[1]
    assert re.findall(r"'(\w+)'", php) == words

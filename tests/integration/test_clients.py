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

import frames
import photos
import pictures
import web
from installation import BUILD, TREE
from service import Picstore, PicstoreError, refusal

PHP = TREE / "clients/php/picstore.php"
BAD_REQUEST, BAD_ID, NOT_FOUND, GONE, EXISTS, NOT_ALLOWED = 1, 2, 3, 4, 5, 9
KEY_EXPIRED, SERVICE_DOWN = 19, 25
NEVER_THERE = "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"


LISTS = ["album_photos", "user_photos", "search_photos", "all_photos"]
FIELDS = ["photoid", "uid", "albumid", "channel", "is_head", "state", "type", "width", "height",
          "crc", "length", "time", "ip", "name", "url"]


class Refused(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code


class Python:
    def __init__(self, stack):
        self.client = Picstore("127.0.0.1", stack.admin_proxy, user=10001, timeout=20)

    def do(self, method, *args, **options):
        try:
            return getattr(self.client, method)(*args, **options)
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

    def do(self, method, *args, **options):
        args += (options,) if options else ()
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
        flags = self.pkg_config("--cflags", "--libs").split()
        flags += os.environ.get("PICSTORE_CFLAGS", "").split()
        found_at = next(self.folder.glob("**/libpicstore.so.0")).parent
        self.program = self.folder / "clients"
        subprocess.run(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-o", self.program,
                        TREE / "tests/integration/clients.c", *flags, f"-Wl,-rpath,{found_at}"],
                       check=True)

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

    def do(self, method, *args, **options):
        if method in LISTS or method.startswith("photo_") or method == "albums":
            return self.photos(method, args, options)
        word = {"delete_later": "later", "delete_now": "now", "session_use": "session"}.get(method, method)
        words = [w for w in args if isinstance(w, str)] or [w for a in args[:1] for w in a]
        out = self.run(word, *words)
        if word == "session":
            return [int(n) for n in out.split()]
        return out.strip()

    def run(self, *words):
        done = subprocess.run([self.installed.program, self.address, *map(str, words)], check=False,
                              text=True, capture_output=True, timeout=60)
        if done.returncode:
            assert done.returncode == 1, done
            raise Refused(int(done.stdout.split()[0]))
        return done.stdout

    @staticmethod
    def photo(line):
        fields = dict(zip(FIELDS, line.split("\t")))
        return {field: value if field in ("ip", "name", "url") else int(value)
                for field, value in fields.items()}

    def photos(self, method, args, options):
        if method in LISTS:
            numbers = [args[0] if args else 0, 0, options.get("after", 0), options.get("limit", 100),
                       int(options.get("newest_first", False)),
                       sum(1 << state for state in options.get("states", []))]
            if method == "album_photos":
                numbers[1] = args[1]
            text = args[1] if method == "search_photos" else ""
            more, *lines = self.run("list", LISTS.index(method), *numbers, text).splitlines()
            return [self.photo(line) for line in lines], more == "1"
        if method == "albums":
            return [{"albumid": int(album), "photos": int(photos)} for album, photos in
                    (line.split("\t") for line in self.run("albums", *args).splitlines())], False
        word = method.removeprefix("photo_")
        if word == "put":
            values = {field: 0 for field in FIELDS} | {"ip": "0.0.0.0", "name": "", "url": ""} | args[0]
            args = ["\t".join(str(values[field]) for field in FIELDS)]
        elif word in ("delete", "settle"):
            args = [*args, ""]
        out = self.run(word, *args)
        if word.startswith("get"):
            return self.photo(out.rstrip("\n"))
        numbers = [int(n) for n in out.split()]
        return numbers[0] if word == "move" else numbers


@pytest.fixture(params=[Python, Php, Library])
def client(request, stack):
    return request.param(stack)


def code_of(function, *args, **options):
    with pytest.raises(Refused) as caught:
        function(*args, **options)
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


def photo_url(number):
    return f"g01/M00/00/00/CgEBxVxhGVKAVKsFAAvFE0AZv0c{number:03d}.jpg"


def test_photos_and_albums(stack, client):
    """Every command of metadata_dbsvr; the clients' user is 10001."""
    kind = [Python, Php, Library].index(type(client))
    do, album, urls = client.do, 1000 + kind, [photo_url(500 + 10 * kind + n) for n in range(3)]
    one = {"uid": 10001, "albumid": album, "channel": 7, "is_head": 1, "state": 1, "type": 1,
           "width": 640, "height": 480, "crc": 0xfedcba98, "length": 5_000_000_000,
           "time": 1549867346, "ip": "255.1.1.197", "name": f"größer 50% {album}.jpg", "url": urls[0]}
    in_album, first = do("photo_put", one)
    one["photoid"] = first
    assert in_album == album and do("photo_get", first) == do("photo_get_url", urls[0]) == one
    again = {key: value for key, value in one.items() if key != "photoid"}
    assert code_of(do, "photo_put", again) == EXISTS
    _, second = do("photo_put", {"uid": 10001, "albumid": album, "name": "second"})
    assert do("photo_get", second)["state"] == 0
    do("photo_settle", second, 1, urls[1])
    assert do("photo_get", second)["url"] == urls[1]
    _, third = do("photo_put", {"uid": 10001, "albumid": album})
    do("photo_settle", third, 0)
    assert code_of(do, "photo_get", third) == NOT_FOUND

    def numbers(method, *args, **options):
        photos, more = do(method, *args, **options)
        return [photo["photoid"] for photo in photos], more
    assert numbers("album_photos", 10001, album) == ([first, second], False)
    assert numbers("album_photos", 10001, album, newest_first=True, limit=1) == ([second], True)
    assert numbers("user_photos", 10001, after=first - 1, limit=2) == ([first, second], False)
    assert numbers("search_photos", 10001, f"ER 50% {album}") == ([first], False)
    assert numbers("all_photos", after=first, states=[1])[0][0] == second
    assert list(do("photo_count", 10001, album)) == [2, 5_000_000_000]
    do("photo_rename", second, "other")
    assert do("photo_get", second)["name"] == "other"
    assert do("photo_move", second, album + 100) == album + 100
    found, _ = do("albums", 10001)
    assert {(a["albumid"], a["photos"]) for a in found} >= {(album, 1), (album + 100, 1)}
    do("photo_delete", first)
    do("photo_delete", 0, urls[1])
    assert numbers("album_photos", 10001, album, states=[2]) == ([first], False)
    assert do("photo_get", second)["state"] == 2
    _, anothers = do("photo_put", {"uid": 77, "state": 1, "url": urls[2]})
    assert code_of(do, "photo_rename", anothers, "mine") == NOT_ALLOWED
    assert code_of(do, "photo_rename", anothers, "x" * 256) == BAD_REQUEST
    assert code_of(do, "photo_put", {"uid": 7, "state": 1, "url": "nonsense"}) == BAD_ID
    assert code_of(do, "user_photos", 7, limit=0 if kind == 2 else 1001) == BAD_REQUEST


def test_replies_about_photos_that_make_no_sense():
    """From a service that lies or has broken: an error, not a warning or a crash."""
    def lie(own, sock, cmd, user, seq, _):
        sock.sendall(frames.package(cmd, own.body, user, seq))
    back_end = frames.BackEnd(lie)

    class Lying:
        admin_proxy = back_end.port
    good = photos.photo(name="n", url="u")
    pages = [b"", b"\0", b"\0\0\1\0", b"\0\0\1\0" + good[:-1], b"\0\0\1\0" + good + b"x",
             b"\0\0\xff\xff" + good]
    for kind, codes in ((Python, [0]), (Php, [0]), (Library, [10])):
        client = kind(Lying)
        for body in pages:
            back_end.body = body
            assert [code_of(client.do, "user_photos", 7)] == codes, body
        for body in (b"", good[:-1], good + b"x"):
            back_end.body = body
            assert [code_of(client.do, "photo_get", 7)] == codes, body
        back_end.body = b"\0" * 11
        assert [code_of(client.do, "photo_put", {"uid": 7})] == codes
        assert [code_of(client.do, "photo_count", 7, 0)] == codes


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

"""test_metadata.py - metadata_dbsvr on both databases, and photos beside their pictures."""
import random
import shutil
import struct
import threading
import zlib

import pytest

import frames
import photos as p
import pictures
import postgres
import web
from photos import Photos
from service import Picstore, PicstoreError, refusal
from wait import until

FOLDER = "[metadata_dbsvr]\nfolder = {scratch}/photos\n"


def url(number):
    return f"g01/M00/00/00/CgEBxVxhGVKAVKsFAAvFE0AZv0c{number:03d}.jpg"


@pytest.fixture(scope="module")
def server():
    if not postgres.there():
        pytest.skip("no PostgreSQL")
    one = postgres.Postgres()
    one.start()
    yield one
    one.remove()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request):
    """The settings of a database that is empty."""
    if request.param == "sqlite":
        return FOLDER
    server = request.getfixturevalue("server")
    server.sql("DROP TABLE IF EXISTS photo, album, picstore_version")
    return f"[metadata_dbsvr]\npostgres = {server.conninfo}\n"


def test_photos_and_albums(services, database):
    service = services("metadata_dbsvr", database).start()
    with service.client() as client:
        photos = Photos(client)
        assert photos.put(uid=7, name="größer.jpg", state=p.STORED, url=url(1), length=10,
                          width=640, height=480, type=1, crc=0xfedcba98, time=1549867346,
                          ip=b"\xff\x01\x01\xc5", channel=9, is_head=1) == (1, 1)
        assert photos.put(uid=7, albumid=3, name="Beach 50%.jpg", state=p.STORED, url=url(2),
                          length=5) == (3, 2)
        assert photos.put(uid=8, albumid=3, name="beach", state=p.STORED, url=url(3)) == (3, 3)
        one = photos.get(1)
        assert one == {"photoid": 1, "uid": 7, "albumid": 1, "channel": 9, "is_head": 1,
                       "state": p.STORED, "type": 1, "width": 640, "height": 480,
                       "crc": 0xfedcba98, "length": 10, "time": 1549867346,
                       "ip": b"\xff\x01\x01\xc5", "name": "größer.jpg", "url": url(1)}
        assert photos.get_url(url(1)) == one
        assert photos.albums(7) == {1: 1, 3: 1}
        assert photos.count(7) == (2, 15) and photos.count(7, 3) == (1, 5)
        assert [x["photoid"] for x in photos.page(p.LIST_ALBUM, uid=7, albumid=3)[1]] == [2]
        assert [x["photoid"] for x in photos.page(p.SEARCH, uid=7, what="BEACH 50%")[1]] == [2]
        assert photos.page(p.SEARCH, uid=7, what="5_%")[1] == []
        photos.rename(2, "other", user=7)
        assert photos.move(2, 0, user=7) == 1
        assert photos.get(2)["name"] == "other" and photos.albums(7) == {1: 2, 3: 0}
        photos.delete(2, user=7)
        photos.delete(url=url(2))
        assert photos.get(2)["state"] == p.DELETED and photos.count(7) == (1, 10)


def test_pages_hold_all_once(services, database):
    service = services("metadata_dbsvr", database).start()
    with service.client() as client:
        photos = Photos(client)
        for i in range(25):
            photos.put(uid=7, state=p.STORED, url=url(i), name=str(i))
        for flags, order in ((0, 1), (1, -1)):
            after, seen = 0, []
            while True:
                more, page = photos.page(p.LIST_USER, uid=7, after=after, limit=10, flags=flags)
                seen += [one["photoid"] for one in page]
                if not more:
                    break
                after = seen[-1]
            assert seen == list(range(1, 26))[::order]


def test_refusals(services, database):
    service = services("metadata_dbsvr", database).start()
    with service.client() as client:
        photos = Photos(client)
        photos.put(uid=7, state=p.STORED, url=url(1))
        assert refusal(photos.put, uid=7, state=p.STORED, url=url(1)) == p.EXISTS
        assert refusal(photos.put, uid=7, state=p.STORED, url="../etc/passwd") == p.BAD_ID
        assert refusal(photos.put, uid=7, state=p.STORED) == p.BAD_ID
        assert refusal(photos.put, uid=7, state=p.DELETED, url=url(2)) == p.BAD_REQUEST
        assert refusal(photos.put, uid=7, photoid=9) == p.BAD_REQUEST
        assert refusal(photos.put, uid=7, name=b"\xff") == p.BAD_REQUEST
        assert refusal(photos.get, 99) == p.NOT_FOUND
        assert refusal(photos.get_url, url(9)) == p.NOT_FOUND
        assert refusal(photos.rename, 1, "x", user=8) == p.NOT_ALLOWED
        assert refusal(photos.delete, 99) == p.NOT_FOUND
        assert refusal(photos.settle, 1, 7) == p.BAD_REQUEST
        for cmd in range(p.PUT, p.LIST_ALL + 1):
            assert refusal(client.call, cmd, b"") == p.BAD_REQUEST
        # what failed has spoilt nothing
        assert photos.count(7) == (1, 0)


def test_hostile_packages(services, database):
    """Bodies cut short, drawn out and with bytes changed: answered with a code of the list,
    and what was stored before is as it was."""
    service = services("metadata_dbsvr", database + "[services]\nmax_package = 4K\n").start()
    query = struct.pack("<IIQHHH", 7, 1, 0, 10, 0, 0) + p.text("a")
    good = {p.PUT: p.photo(name="a' OR 1; --", uid=8, url=url(2), state=p.STORED),
            p.GET: struct.pack("<Q", 1), p.GET_URL: p.text(url(1)),
            p.RENAME: struct.pack("<Q", 1) + p.text("%_!"), p.MOVE: struct.pack("<QI", 1, 1),
            p.DELETE: struct.pack("<Q", 99) + p.text(url(1)),
            p.SETTLE: struct.pack("<QH", 99, 1) + p.text(url(9)),
            **{cmd: query for cmd in (p.LIST_ALBUM, p.LIST_USER, p.COUNT, p.SEARCH, p.ALBUMS,
                                      p.LIST_ALL)}}
    dice = random.Random(1)
    with service.client(user=4711) as client:
        photos = Photos(client)
        photos.put(uid=7, state=p.STORED, url=url(1), name="kept")
        kept = photos.get(1)
        for cmd, body in good.items():
            bodies = [body[:n] for n in range(len(body))] + [body + b"\0", body * 20]
            for _ in range(200):
                changed = bytearray(body)
                for _ in range(dice.randint(1, 3)):
                    changed[dice.randrange(len(changed))] = dice.choice((0, 1, 127, 128, 254, 255))
                bodies.append(bytes(changed))
            for one in bodies:
                try:
                    client.call(cmd, one)
                except PicstoreError as error:
                    assert error.code in (p.BAD_REQUEST, p.BAD_ID, p.NOT_FOUND, p.GONE, p.EXISTS,
                                          p.NOT_ALLOWED), (cmd, one, error)
        assert refusal(client.call, p.PUT, b"x" * 5000) == 6
        assert photos.get(1) == kept
        assert photos.put(uid=7, state=p.STORED, url=url(3))[1] > 1


def test_what_was_answered_survives_kill(services, database):
    service = services("metadata_dbsvr", database).start()
    answered, stop = [], threading.Event()

    def put(worker):
        number = 0
        try:
            with service.client() as client:
                while not stop.is_set():
                    photo = Photos(client).put(uid=worker, name=f"{worker}-{number}")
                    answered.append((photo[1], f"{worker}-{number}"))
                    number += 1
        except PicstoreError:
            pass
    workers = [threading.Thread(target=put, args=(n,)) for n in range(1, 5)]
    for worker in workers:
        worker.start()
    until(lambda: len(answered) > 200, "photos are put")
    service.kill()
    stop.set()
    for worker in workers:
        worker.join()
    service.start()
    with service.client() as client:
        kept = {one["photoid"]: one["name"]
                for one in Photos(client).page(states=p.EVERY_STATE)[1]}
    assert len(kept) < 1000
    assert all(kept.get(photoid) == name for photoid, name in answered)


def test_a_database_server_that_comes_back(services, server):
    server.sql("DROP TABLE IF EXISTS photo, album, picstore_version")
    service = services("metadata_dbsvr", f"[metadata_dbsvr]\npostgres = {server.conninfo}\n").start()
    with service.client() as client:
        photos = Photos(client)
        photos.put(uid=7, state=p.STORED, url=url(1))
        server.stop()
        assert refusal(photos.put, uid=7) == 25
        assert refusal(photos.get, 1) == 25
        server.start()
        assert photos.get(1)["uid"] == 7
        assert photos.put(uid=7, state=p.STORED, url=url(2))[1] > 1


# -- with the whole chain

def photos_of(one):
    port = one.base + 81
    return Photos(Picstore("127.0.0.1", port))


def test_an_upload_is_a_photo(own):
    photos = photos_of(own)
    picture = pictures.drawn(seed=61, width=80, height=60)
    key = own.token("--uid", "10001", "--album", "3")
    answer = web.upload(own.varnish, key, picture, name="größer.jpg").json()
    one = photos.get(answer["photoid"])
    assert one["url"] == answer["lloc"] and one["albumid"] == answer["albumid"] == 3
    assert (one["uid"], one["state"], one["width"], one["height"]) == (10001, p.STORED, 80, 60)
    assert one["length"] == len(picture) and one["crc"] == zlib.crc32(picture)
    assert one["name"] == "größer.jpg"
    assert web.upload(own.varnish, own.token("--uid", "10001"), picture).json()["albumid"] == 1


def test_without_metadata_nothing_is_stored(own):
    before = own.listed()
    own.down("metadata_dbsvr")
    web.refused(web.upload(own.varnish, own.token(), pictures.drawn(seed=62)), 503, "service_down")
    assert own.listed() == before
    own.up("metadata_dbsvr")
    web.stored(web.upload(own.varnish, own.token(), pictures.drawn(seed=62)))


def test_without_a_store_no_photo_is_left(own):
    photos = photos_of(own)
    for part in ("storage_server-g01", "storage_server-g02"):
        own.down(part)
    assert web.upload(own.varnish, own.token(), pictures.drawn(seed=63)).status == 503
    until(lambda: photos.page(states=p.EVERY_STATE)[1] == [], "the photo is forgotten")


def test_unfinished_uploads_are_settled(installations):
    one = installations({("metadata_dbsvr", "pending"): "2s"}).start("--no-self-test")
    photos = photos_of(one)
    picture = pictures.drawn(seed=64)
    # As upload.cgi leaves it when it is killed after the store has answered, and before.
    _, kept = photos.put(uid=7, name="kept", length=len(picture), crc=zlib.crc32(picture))
    _, gone = photos.put(uid=7, name="gone", length=9, crc=9)
    path = one.scratch / "kept.jpg"
    path.write_bytes(picture)
    stored = one.picstore("put", path).stdout.split()[0]
    until(lambda: photos.get(kept)["state"] == p.STORED, "it is settled")
    assert photos.get(kept)["url"] == stored
    until(lambda: refusal_of(photos.get, gone) == p.NOT_FOUND, "it is forgotten")


def test_many_that_cannot_be_settled_do_not_hold_up_others(own, services):
    """Of a store that is not all here, what is not found stays pending."""
    picture = pictures.drawn(seed=79)
    service = services("metadata_dbsvr", FOLDER + "pending = 1s\n" + f"""
[fdfs]
tracker_server = 127.0.0.1:{own.tracker}
[storage g01]
listen = 127.0.0.1:{own.storage["g01"]}
store_path = {own.home}/data/g01
""").start()
    with service.client() as client:
        photos = Photos(client)
        undecided = [photos.put(uid=7, length=9, crc=n)[1] for n in range(600)]
        _, kept = photos.put(uid=7, length=len(picture), crc=zlib.crc32(picture))
        path = own.scratch / "behind.jpg"
        path.write_bytes(picture)
        stored = own.picstore("put", "--group", "g01", path).stdout.split()[0]
        until(lambda: photos.get(kept)["state"] == p.STORED, "it is settled", 60)
        assert photos.get(kept)["url"] == stored
        assert all(photos.get(one)["state"] == p.PENDING for one in undecided[::50])


def test_a_picture_that_another_photo_was_given_stays(installations):
    """An upload that was taken for cut off, since it was so slow, goes on at last."""
    def settled_before(own, sock, cmd, user, seq, body):
        with photos_of(one).client as client:
            photos = Photos(client)
            if cmd == p.SETTLE and body[8:10] == b"\1\0":
                other.append(photos.put(uid=8)[1])
                photos.settle(other[0], 1, p.take_text(body, 10)[0])
            try:
                reply = frames.package(cmd, client.call(cmd, body, user), user, seq)
            except PicstoreError as error:
                reply = frames.package(cmd, b"", user, seq, error.code)
        sock.sendall(reply)
    other = []
    relay = frames.BackEnd(settled_before)
    one = installations({("upload", "metadata"): relay.address}).start("--no-self-test")
    web.refused(web.upload(one.varnish, one.token(), PICTURE), 503, "service_down")
    (kept,) = photos_of(one).page(states=p.EVERY_STATE)[1]
    assert kept["photoid"] == other[0] and one.listed() == [kept["url"]]
    assert web.get(one.varnish, "/" + kept["url"]).body == PICTURE


def refusal_of(function, *args):
    try:
        function(*args)
    except PicstoreError as error:
        return error.code
    return 0


def test_a_deleted_picture_has_no_photo(own):
    photos = photos_of(own)
    first, second = (web.upload(own.varnish, own.token(), pictures.drawn(seed=s)).json()
                     for s in (65, 66))
    own.picstore("rm", first["lloc"])
    assert photos.get(first["photoid"])["state"] == p.DELETED
    own.down("metadata_dbsvr")
    with Picstore("127.0.0.1", own.cs_del_svr[0]) as client:
        assert refusal(client.delete_now, [second["lloc"]]) == 25
    # It is gone for all who ask, and the rest is done later.
    assert web.get(own.varnish, "/" + second["lloc"]).status in (404, 410)
    own.up("metadata_dbsvr")
    until(lambda: photos.get(second["photoid"])["state"] == p.DELETED, "the receipt is done")


def test_reindex_rebuilds_what_was_lost(own):
    photos = photos_of(own)
    ids = [web.stored(web.upload(own.varnish, own.token(), pictures.drawn(seed=70 + n)))
           for n in range(3)]
    own.picstore("rm", ids[2])
    own.down("metadata_dbsvr")
    shutil.rmtree(own.home / "data/metadata")
    own.up("metadata_dbsvr")
    until(lambda: '"young":' in own.picstore("reindex", "--json", "-n").stdout, "it runs")
    # Pictures of this minute are left alone.
    assert '"put":0,' in own.picstore("reindex", "--json").stdout
    done = own.picstore("reindex", "--json", "--younger")
    assert '"put":2,' in done.stdout and '"deletions":1,' in done.stdout
    kept = photos.page()[1]
    assert sorted(one["url"] for one in kept) == sorted(ids[:2])
    assert all(one["uid"] == 0 and one["name"] == "" and one["type"] == 1 for one in kept)
    assert '"put":0,' in own.picstore("reindex", "--json", "--younger").stdout


def test_reindex_marks_photos_without_a_picture(own):
    photos = photos_of(own)
    good = web.upload(own.varnish, own.token(), pictures.drawn(seed=75)).json()
    _, lost = photos.put(uid=7, state=p.STORED, url=url(1))
    assert '"lost":1,' in own.picstore("reindex", "--json", "--younger", "-n").stdout
    assert photos.get(lost)["state"] == p.STORED
    assert '"lost":1,' in own.picstore("reindex", "--json", "--younger").stdout
    assert photos.get(lost)["state"] == p.LOST
    assert photos.get(good["photoid"])["state"] == p.STORED


def test_admin_proxy_carries_the_commands(own):
    answer = web.upload(own.varnish, own.token("--uid", "7"), pictures.drawn(seed=77)).json()
    with Picstore("127.0.0.1", own.admin_proxy) as client:
        photos = Photos(client)
        assert photos.get_url(answer["lloc"])["photoid"] == answer["photoid"]
        assert refusal(photos.rename, answer["photoid"], "x", user=8) == p.NOT_ALLOWED
        photos.rename(answer["photoid"], "x", user=7)
        assert photos.page(p.LIST_USER, uid=7)[1][0]["name"] == "x"


def test_photos_and_pictures_match_after_kills(installations):
    one = installations({("metadata_dbsvr", "pending"): "2s",
                         ("upload", "metadata"): "127.0.0.1:7004"}).start("--no-self-test")
    photos = photos_of(one)
    answered, stop = [], threading.Event()

    def upload(worker):
        number = 0
        while not stop.is_set():
            number += 1
            try:
                # A key may be used 30 times.
                key = one.token("--uid", str(worker)) if number % 20 == 1 else key
                answer = web.upload(one.varnish, key,
                                    pictures.with_comment(PICTURE, worker * 100000 + number))
            except OSError:
                continue
            if answer.status == 200:
                answered.append(answer.json())
    workers = [threading.Thread(target=upload, args=(n,)) for n in range(1, 5)]
    for worker in workers:
        worker.start()
    for part in ("upload.cgi", "metadata_dbsvr", "storage_server-g01") * 2:
        had = len(answered)
        until(lambda h=had: len(answered) > h + 10, "uploads go through")
        one.kill(part)
    stop.set()
    for worker in workers:
        worker.join()
    until(lambda: photos.page(states=1 << p.PENDING)[1] == [], "all are settled", 60)
    rows, more, after = {}, True, 0
    while more:
        more, page = photos.page(after=after)
        rows |= {row["url"]: row for row in page}
        after = page[-1]["photoid"]
    assert set(rows) == set(one.listed())
    assert all(rows[a["lloc"]]["photoid"] == a["photoid"] for a in answered)


PICTURE = pictures.drawn(seed=78)

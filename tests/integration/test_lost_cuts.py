"""Cuts that the store has and of which cut_svr was not told: they go with their source."""
import io
import json
import sqlite3
import time
import zlib

import PIL.Image
import pytest

import fdfs
import package
import pictures
from between import Between
from service import Service
from test_cut import CUT, ask, opened
from wait import until

PLACE = "unknown cuts"


@pytest.fixture
def between(installations):
    """(installation, Between) of its storage g01; nothing lost is searched for yet."""
    one = installations({("cut_svr", "pending"): "1h"})
    made = Between(one.storage["g01"])
    one.settings["storage g01", "advertise"] = f"127.0.0.1:{made.port}"
    yield one.start("--no-self-test"), made
    made.close()


def receipt(one, picture):
    return json.loads(one.picstore("receipt", "--json", picture, check=False).stdout)


def search_now(one):
    one.configure({("cut_svr", "pending"): "1s"})
    for port in one.cut_svr:
        one.kill(f"cut_svr-{port}")


def delete(one, picture):
    with package.Caller(one.cs_del_svr[0]) as caller:
        return caller.delete_now([picture])


def check_that_it_goes_with(one, source, lost, bystander):
    """The source is deleted; then what is outstanding is done."""
    assert delete(one, source) != package.OK
    shown = receipt(one, source)
    place, = [p for p in shown["places"] if p["place"] == PLACE]
    assert shown["closed"] is None and place["confirmed"] is None
    assert set(one.listed("g01")) == {lost, bystander}
    search_now(one)
    until(lambda: receipt(one, source)["closed"], "the deletion is complete")
    assert all(p["confirmed"] for p in receipt(one, source)["places"])
    until(lambda: one.listed("g01") == [bystander], "the lost cut is removed")
    assert delete(one, source) == package.OK


def test_one_whose_maker_was_killed_before_it_was_told(between):
    one, storage = between
    with fdfs.Client(one.storage["g01"]) as client:
        source = client.upload(pictures.drawn(320, 240, seed=90))
    storage.hold.clear()
    storage.to_lose = 1
    with package.Caller(one.cut_svr[0]) as caller:
        body = CUT.pack(7, source.encode(), 0, 0, 0, 0, 100, 100)
        caller.socket.sendall(package.package(package.CUT, body))
        until(lambda: storage.lost, "the storage has answered")
        one.kill(f"cut_svr-{one.cut_svr[0]}")
    storage.hold.set()
    lost, = storage.lost
    with fdfs.Client(one.storage["g01"]) as client:
        cut = client.download(lost)
        # Bytes of the same length, of other pixels or none, are somebody's own.
        bystander = client.upload(bytes(len(cut)))
    assert opened(cut).size == (100, 75)
    check_that_it_goes_with(one, source, lost, bystander)


def test_one_whose_answer_was_lost_while_the_request_succeeded(between):
    one, storage = between
    with fdfs.Client(one.storage["g01"]) as client:
        source = client.upload(pictures.drawn(320, 240, seed=91))
        storage.to_lose = 1
        with package.Caller(one.cut_svr[0]) as caller:
            ret, made = ask(caller, source)
        assert ret == package.OK
        lost, = storage.lost
        assert lost != made
        # Whoever has the bytes of a cut may upload them again.
        bystander = client.upload(client.download(made))
    check_that_it_goes_with(one, source, lost, bystander)


def note(path, number, source, content):
    """As cut_svr does before it stores `content`."""
    db = sqlite3.connect(path, timeout=30)
    with db:
        db.execute("INSERT INTO storing VALUES (?, ?, 0, 0, 0, 0, 9, 9, 'g01', ?, ?, ?, 0)",
                   (number, source, len(content), zlib.crc32(content), int(time.time()) - 100))
    db.close()


def noted(path):
    db = sqlite3.connect(path, timeout=30)
    try:
        return db.execute("SELECT number, in_vain FROM storing ORDER BY number").fetchall()
    finally:
        db.close()


def test_a_picture_with_the_length_and_crc_of_a_lost_cut_stays(installations):
    one = installations({("cut_svr", "pending"): "1s"}).start("--no-self-test")
    content = pictures.drawn(64, 48, seed=92)
    with fdfs.Client(one.storage["g01"]) as client:
        theirs = client.upload(content)
    path = next(one.home.rglob("cuts.db"))
    note(path, 77, theirs, content)
    until(lambda: noted(path) == [], "it was searched for")
    assert one.listed("g01") == [theirs]


def test_a_store_that_is_elsewhere_is_searched_in_vain(own):
    service = Service("cut_svr", f"""
[fdfs]
tracker_server = 127.0.0.1:{own.tracker}
[cut_svr]
made = {{scratch}}/cuts.db
pending = 1s
""")
    try:
        service.start()
        path = service.scratch / "cuts.db"
        note(path, 77, "g01/M00/00/00/x.jpg", b"x")
        until(lambda: noted(path) == [(77, 1)], "it was searched for in vain")
        assert "may be in group g01" in service.log()
    finally:
        service.remove()


@pytest.mark.parametrize("kind, ext, more", [
    ("JPEG", "jpg", {}), ("PNG", "png", {}), ("GIF", "gif", {}), ("WEBP", "webp", {}),
    ("WEBP", "webp", {"lossless": True})])
def test_cuts_with_their_number_are_pictures_for_all(stack, kind, ext, more):
    """And two of the same pixels differ in nothing but the number."""
    out = io.BytesIO()
    PIL.Image.open(io.BytesIO(pictures.drawn(90, 60, "PNG", seed=93))).convert("RGB").save(
        out, kind, **more)
    with fdfs.Client(stack.storage["g01"]) as client, package.Caller(stack.cut_svr[0]) as caller:
        source = client.upload(out.getvalue(), ext)
        ret, first = ask(caller, source, thumb=(30, 30))
        assert ret == package.OK
        one = client.download(first)
        client.delete(first)
        other = client.download(ask(caller, source, thumb=(30, 30))[1])
        # A cut is cut like any other picture.
        again = ask(caller, ask(caller, source, thumb=(30, 30))[1], thumb=(15, 15))
        assert again[0] == package.OK and opened(client.download(again[1])).size == (15, 10)
    picture = opened(one)
    picture.load()
    assert picture.format == kind and picture.size == (30, 20)
    assert one != other and len(one) == len(other)
    assert picture.convert("RGB").tobytes() == opened(other).convert("RGB").tobytes()

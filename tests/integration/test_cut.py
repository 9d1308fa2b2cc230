"""cut_svr: rectangles out of stored pictures, as callers ask for them."""
import concurrent.futures
import io
import struct

import PIL.Image
import pytest

import fdfs
import package
import pictures

CUT = struct.Struct("<I64sIIiiII")
ITEM = struct.Struct("<I64s")
NOT_FOUND, GONE, TOO_LARGE, NOT_A_PICTURE, TRUNCATED = 3, 4, 6, 22, 24


@pytest.fixture
def storage(stack):
    with fdfs.Client(stack.storage["g01"]) as client:
        yield client


def ask(caller, url, clip=(0, 0), start=(0, 0), thumb=(100, 100), hostid=7):
    """(ret, url)"""
    caller.seq += 1
    body = CUT.pack(hostid, url.encode(), *clip, *start, *thumb)
    caller.socket.sendall(package.package(package.CUT, body, 10001, caller.seq))
    cmd, user, seq, ret, answer = caller.reply()
    assert (cmd, user, seq) == (package.CUT, 10001, caller.seq)
    if ret:
        assert answer == b""
        return ret, None
    got, made = ITEM.unpack(answer)
    assert got == hostid
    return ret, made.rstrip(b"\0").decode()


def cut(stack, url, **more):
    with package.Caller(stack.cut_svr[0]) as caller:
        ret, made = ask(caller, url, **more)
    assert ret == package.OK, ret
    return made


def opened(data):
    return PIL.Image.open(io.BytesIO(data))


def test_a_photo_is_cut_to_a_thumbnail(stack, storage):
    source = storage.upload(pictures.photo(0))
    made = cut(stack, source, clip=(1500, 1500), start=(200, 100), thumb=(200, 200))
    assert made.startswith("g01/") and made.endswith(".jpg") and made != source
    picture = opened(storage.download(made))
    assert picture.size == (200, 200) and picture.format == "JPEG"
    whole = opened(pictures.photo(0))
    expected = whole.convert("RGB").resize((200, 200), box=(200, 100, 1700, 1600))
    difference = sum(abs(a - b) for a, b in zip(picture.tobytes(), expected.tobytes())) / 120000
    assert difference < 5


def test_without_a_rectangle_the_whole_is_fitted_and_never_enlarged(stack, storage):
    source = storage.upload(pictures.drawn(64, 48, "PNG", seed=3), "png")
    assert opened(storage.download(cut(stack, source, thumb=(32, 32)))).size == (32, 24)
    assert opened(storage.download(cut(stack, source, thumb=(2 ** 32 - 1, 500)))).size == (64, 48)
    assert opened(storage.download(cut(stack, source, clip=(9, 0), thumb=(10, 12)))).size == (10, 8)


def test_the_part_outside_is_white(stack, storage):
    source = storage.upload(pictures.drawn(100, 100, "PNG", seed=4), "png")
    made = opened(storage.download(
        cut(stack, source, clip=(100, 100), start=(-50, -50), thumb=(50, 50)))).convert("RGB")
    assert made.getpixel((2, 2)) == (255, 255, 255) == made.getpixel((40, 10))
    assert made.getpixel((40, 40)) != (255, 255, 255)
    beside = opened(storage.download(
        cut(stack, source, clip=(10, 10), start=(-2 ** 31, 2 ** 31 - 1), thumb=(5, 6)))).convert("RGB")
    assert set(beside.getdata()) == {(255, 255, 255)}


def test_the_same_request_has_the_same_answer_from_both_instances(stack, storage):
    source = storage.upload(pictures.drawn(320, 240, seed=5))
    def one(number):
        with package.Caller(stack.cut_svr[number % 2]) as caller:
            return ask(caller, source, clip=(100, 100), thumb=(50, 50))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(one, range(40)))
    assert len(answers) == 1 and answers.pop()[0] == package.OK


def test_a_cut_that_is_gone_is_made_again_and_none_of_a_deleted_source(stack, storage):
    source = storage.upload(pictures.drawn(320, 240, seed=6))
    first = cut(stack, source)
    storage.delete(first)
    second = cut(stack, source)
    assert second != first and cut(stack, source) == second
    storage.delete(source)
    with package.Caller(stack.cut_svr[1]) as caller:
        assert ask(caller, source)[0] == GONE
        assert ask(caller, source, thumb=(7, 7))[0] == GONE


def test_what_cannot_be_cut_is_refused_and_the_connection_lives(stack, storage):
    source = storage.upload(pictures.drawn(64, 48, seed=7))
    text = storage.upload(b"no picture at all", "txt")
    half = storage.upload(pictures.photo(0)[:50000])
    with package.Caller(stack.cut_svr[0]) as caller:
        assert ask(caller, source, thumb=(0, 10))[0] == package.BAD_REQUEST
        assert ask(caller, source, thumb=(10, 0))[0] == package.BAD_REQUEST
        assert ask(caller, source, clip=(5, 5), thumb=(2 ** 32 - 1, 2 ** 32 - 1))[0] == TOO_LARGE
        assert ask(caller, "g01/M00/00/00/nothing.jpg")[0] == package.BAD_ID
        assert ask(caller, "")[0] == package.BAD_ID
        assert ask(caller, text)[0] == NOT_A_PICTURE
        assert ask(caller, half)[0] == TRUNCATED
        assert caller.call(package.CUT, b"short") == package.BAD_REQUEST
        assert caller.call(package.CUT, bytes(93)) == package.BAD_REQUEST
        assert ask(caller, source, clip=(2 ** 32 - 1, 2 ** 32 - 1), start=(-2 ** 31, -2 ** 31),
                   thumb=(16, 16))[0] == package.OK


def test_a_bomb_is_refused_from_its_header(stack, storage):
    bomb = io.BytesIO()
    PIL.Image.new("1", (30000, 30000)).save(bomb, "PNG")
    source = storage.upload(bomb.getvalue(), "png")
    with package.Caller(stack.cut_svr[0]) as caller:
        assert ask(caller, source)[0] == 23


def test_many_requests_of_one_connection_and_a_kill_in_the_middle(own):
    with fdfs.Client(own.storage["g01"]) as storage:
        source = storage.upload(pictures.photo(1))
        part = f"cut_svr-{own.cut_svr[0]}"
        with package.Caller(own.cut_svr[0]) as caller:
            for size in range(20, 40):
                body = CUT.pack(7, source.encode(), 0, 0, 0, 0, size, size)
                caller.socket.sendall(package.package(package.CUT, body, 1, size))
            own.kill(part)
        made = {}
        for port in own.cut_svr:
            with package.Caller(port) as caller:
                for size in range(20, 40):
                    ret, url = ask(caller, source, thumb=(size, size))
                    assert ret == package.OK and made.setdefault(size, url) == url
                    assert max(opened(storage.download(url)).size) == size


def test_the_command_cuts_through_admin_proxy(stack, storage):
    source = storage.upload(pictures.drawn(320, 240, seed=8))
    done = stack.picstore("cut", "60x60", source)
    assert done.returncode == 0, done.stderr
    made, of = done.stdout.strip().split("\t")
    assert of == source and opened(storage.download(made)).size == (60, 45)
    done = stack.picstore("cut", "--clip", "100x50-20+10", "30x15", source)
    assert opened(storage.download(done.stdout.split("\t")[0])).size == (30, 15)
    assert stack.picstore("cut", "60", source, check=False).returncode == 2
    assert stack.picstore("cut", "--clip", "1x", "6x6", source, check=False).returncode == 2
    assert stack.picstore("cut", "60x0", source, check=False).returncode == 1

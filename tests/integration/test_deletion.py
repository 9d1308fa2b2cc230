"""Deletes: noted, held until their time, done everywhere, with a receipt."""
import itertools
import re
import threading
import time
import zlib

import package
import pictures
import web

URL = "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"


def delete_log(installation):
    path = installation.home / "log/delete.log"
    return path.read_text().splitlines() if path.exists() else []


def named(number):
    """Ids that nobody stored."""
    return f"g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY{number:07d}"


# -- del_svr

def test_a_delete_is_a_line_with_time_user_and_hostid(own):
    with package.Caller(own.del_svr[0]) as caller:
        assert caller.delete_later([URL], user=10001) == package.OK
    line, = delete_log(own)
    front, crc = line.rsplit(" ", 1)
    when, rest = front.split(" ", 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", when)
    assert rest == f"delete 7 10001 {URL}"
    assert int(crc, 16) == zlib.crc32(front.encode() + b" ")


def test_a_malformed_url_refuses_its_whole_package(own):
    with package.Caller(own.del_svr[0]) as caller:
        for bad in ("", "no/id", URL[:-8], "../" + URL, "g01/M00/00/00/x.jpg", "\x01\xff" * 20):
            assert caller.delete_later([URL, bad, URL]) == package.BAD_ID
        assert caller.call(package.DELETE_LATER, b"\x01\0\0\0") == package.BAD_REQUEST
        assert caller.call(package.DELETE_LATER, bytes(72)) == package.BAD_REQUEST
        assert caller.delete_later([]) == package.OK
    assert delete_log(own) == []


def test_both_instances_write_the_same_log_under_kill_9(own):
    """What was answered is there, whole, once; a torn line eats no other."""
    answered, lock = [], threading.Lock()

    def client(number):
        good = 0
        for turn in itertools.count():
            urls = [named(number * 1000000 + turn * 3 + i) for i in range(3)]
            try:
                with package.Caller(own.del_svr[number % 2]) as caller:
                    assert caller.delete_later(urls) == package.OK
            except (OSError, EOFError):
                time.sleep(0.01)
                continue
            with lock:
                answered.extend(urls)
            good += 1
            if good == 60:
                return
    threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    own.kill(f"del_svr-{own.del_svr[0]}")
    own.kill(f"del_svr-{own.del_svr[1]}")
    for thread in threads:
        thread.join()
    logged = [line.split(" ")[4] for line in delete_log(own) if line.count(" ") == 5]
    assert len(answered) == 8 * 60 * 3
    assert not set(answered) - set(logged)
    assert len(set(logged)) == len(logged)


# -- cs_del_svr

def stored(installation, key, number=0):
    picture = pictures.with_comment(pictures.noisy(20_000, seed=7), number)
    return web.stored(web.upload(installation.varnish, key, picture))


def test_a_delete_is_done_everywhere_when_it_is_answered(stack, session_key):
    ids = [stored(stack, session_key, n) for n in range(5)]
    for file_id in ids:
        for _ in range(2):
            assert web.get(stack.varnish, "/" + file_id).status == 200
    with package.Caller(stack.cs_del_svr[0]) as caller:
        assert caller.delete_now(ids) == package.OK
        for file_id in ids:
            assert web.get(stack.varnish, "/" + file_id).status in (404, 410)
            assert web.get(stack.lighttpd, "/" + file_id).status in (404, 410)
        assert caller.delete_now(ids) == package.OK, "gone already is success"
        assert caller.delete_now([ids[0], ids[0]]) == package.OK
    assert not set(ids) & set(stack.listed())


def test_one_malformed_url_and_nothing_is_deleted(stack, session_key):
    file_id = stored(stack, session_key)
    with package.Caller(stack.cs_del_svr[1]) as caller:
        assert caller.delete_now([file_id, "no/id"]) == package.BAD_ID
        assert caller.delete_now([]) == package.OK
    assert web.get(stack.varnish, "/" + file_id).status == 200

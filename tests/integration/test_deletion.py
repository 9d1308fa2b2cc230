"""Deletes: noted, held until their time, done everywhere, with a receipt."""
import re
import threading
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
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z delete 7 10001 " + re.escape(URL), front)
    assert int(crc, 16) == zlib.crc32(front.encode() + b" ")


def test_a_malformed_url_refuses_its_whole_package(own):
    with package.Caller(own.del_svr[0]) as caller:
        for bad in ("", "no/id", URL[:-8], "../" + URL, "g01/M00/00/00/x.jpg", "\x01\xff" * 20):
            assert caller.delete_later([URL, bad, URL]) == package.BAD_ID
        assert caller.call(package.DELETE_LATER, b"\x01\0\0\0") == package.BAD_REQUEST
        assert caller.call(package.DELETE_LATER, b"\xff\xff\xff\xff" + bytes(68)) == package.BAD_REQUEST
        assert caller.delete_later([]) == package.OK
    assert delete_log(own) == []


def test_both_instances_write_the_same_log_under_kill_9(own):
    """What was answered is there, whole, once; a torn line eats no other."""
    answered, lock = [], threading.Lock()

    def client(number):
        for turn in range(100):
            urls = [named(number * 10000 + turn * 10 + i) for i in range(3)]
            try:
                with package.Caller(own.del_svr[number % 2]) as caller:
                    if caller.delete_later(urls) != package.OK:
                        continue
            except (OSError, EOFError):
                continue
            with lock:
                answered.extend(urls)
    threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    own.kill(f"del_svr-{own.del_svr[0]}")
    own.kill(f"del_svr-{own.del_svr[1]}")
    for thread in threads:
        thread.join()
    logged = [line.split(" ")[4] for line in delete_log(own) if line.count(" ") == 5]
    assert len(answered) > 300
    assert not set(answered) - set(logged)
    assert len(set(logged)) == len(logged)

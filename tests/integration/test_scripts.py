"""The start scripts that operators of the old system know."""
import os
import re
import subprocess

import pictures
import web
from installation import PICSTORE, TREE, user_options


def script(one, name, *words, home=True):
    env = {**os.environ, "PICSTORE": str(PICSTORE), "PICSTORE_PORT_BASE": str(one.base)}
    env.update(zip(["PICSTORE_USER"], user_options()[1:]))
    if home:
        env["PICSTORE_HOME"] = str(one.home)
    return subprocess.run([TREE / "scripts" / name, *words], env=env, check=False,
                          capture_output=True, text=True, timeout=120)


def good(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_services_are_shown_and_restarted(own):
    shown = good(script(own, "daemon.sh", "status"))
    assert re.search(r"^storage_server-g02 +up ", shown, re.M) and "varnishd" in shown
    before = {part: own.pid(part) for part in ("tracker_server", "lighttpd", "varnishd")}
    good(script(own, "tracker.sh", "restart"))
    good(script(own, "restart.sh"))
    assert all(own.pid(part) != pid for part, pid in before.items())
    web.stored(web.upload(own.varnish, own.token(), pictures.drawn(seed=51)))


def test_services_are_stopped_and_started(own):
    good(script(own, "storaged.sh", "stop", "g02"))
    assert not own.state("storage_server-g02")[0] and own.state("storage_server-g01")[0]
    assert script(own, "storaged.sh", "status").returncode == 1
    good(script(own, "daemon.sh", "--home", str(own.home), "start", "storage_server", home=False))
    assert own.state("storage_server-g02")[:2] == (True, True)
    assert "no service nothing" in script(own, "daemon.sh", "stop", "nothing").stderr


def test_wrong_words_are_refused(own):
    for words in ([], ["fly"], ["--fast", "stop"]):
        assert script(own, "daemon.sh", *words).returncode == 2, words
    assert script(own, "tracker.sh").returncode == 2
    assert script(own, "restart.sh", "now").returncode == 2
    assert own.state("tracker_server")[0]


def test_the_whole_is_started_and_stopped(installations):
    one = installations().start("--no-self-test")
    assert one.stop() == 0
    assert "nothing runs" in script(one, "daemon.sh", "stop").stderr
    assert "nothing runs" in script(one, "daemon.sh", "status").stderr
    good(script(one, "daemon.sh", "start"))
    try:
        one.control("lighttpd", "-d")
        good(script(one, "daemon.sh", "start"))
        good(script(one, "daemon.sh", "status"))
        good(script(one, "daemon.sh", "restart"))
        web.stored(web.upload(one.varnish, one.token(), pictures.drawn(seed=52)))
    finally:
        good(script(one, "daemon.sh", "stop"))

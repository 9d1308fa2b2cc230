"""monit_fdfs and monit_varnish beside a real installation, well and unwell."""
import json
import signal
import subprocess

import pictures
import web
from installation import BUILD
from wait import until

OK, WARNING, CRITICAL, UNKNOWN = range(4)


def monitor(name, *words):
    return subprocess.run([BUILD / "src/programs" / name / name, *map(str, words)], check=False,
                          capture_output=True, text=True, timeout=60)


def fdfs(stack, *words):
    return monitor("monit_fdfs", "--config", stack.conf, *words)


def varnish(stack, *words):
    return monitor("monit_varnish", "--config", stack.conf, *words)


def test_fdfs_tells_of_every_storage_of_a_host(stack):
    done = fdfs(stack, "--json", "127.0.0.1")
    assert done.returncode == OK, done.stdout
    report = json.loads(done.stdout)
    assert report["state"] == "OK"
    assert {one["group"] for one in report["storage"]} == {"g01", "g02"}
    assert all(one["active"] == 1 and one["latency"] > 0 for one in report["storage"])
    assert report["tracker"][0]["state"] == "up"


def test_fdfs_of_one_port_is_one_storage(stack):
    done = fdfs(stack, "--json", f"127.0.0.1:{stack.storage['g02']}")
    assert [one["group"] for one in json.loads(done.stdout)["storage"]] == ["g02"]


def test_fdfs_forms(stack):
    table = fdfs(stack, "127.0.0.1").stdout.splitlines()
    assert table[0] == "FDFS OK: 2 of 2 storages active"
    assert table[2].split() == ["TRACKER", "STATE", "LATENCY"]
    plugin = fdfs(stack, "--plugin", "127.0.0.1").stdout
    assert plugin.startswith("FDFS OK: ") and plugin.count("\n") == 1 and "|" in plugin
    prometheus = fdfs(stack, "--prometheus", "127.0.0.1").stdout
    assert "monit_fdfs_state 0\n" in prometheus
    assert 'monit_fdfs_storage_active{host="127.0.0.1",group="g01"' in prometheus


def test_thresholds_make_the_exit_status(stack):
    assert fdfs(stack, "-w", "free=101:", "127.0.0.1").returncode == WARNING
    assert fdfs(stack, "-c", "free=101:", "127.0.0.1").returncode == CRITICAL
    assert fdfs(stack, "-c", "free=none", "127.0.0.1").returncode == OK
    assert varnish(stack, "-i0", "-c", "objects=~:-1").returncode == CRITICAL


def test_wrong_options_are_unknown(stack):
    for words in ([], ["-w", "free"], ["-w", "nothing=1", "h"], ["--nothing", "h"],
                  ["-t", "nowhere", "h"]):
        done = fdfs(stack, *words)
        assert done.returncode == UNKNOWN and done.stdout.startswith("FDFS UNKNOWN"), words
    assert varnish(stack, "-i", "x").returncode == UNKNOWN
    assert monitor("monit_varnish", "--config", "/nowhere").returncode == UNKNOWN


def test_fdfs_finds_what_is_down(own):
    own.down("storage_server-g01")
    done = fdfs(own, "--json", "127.0.0.1")
    assert done.returncode == CRITICAL
    report = json.loads(done.stdout)
    assert {one["group"]: one["active"] for one in report["storage"]} == {"g01": 0, "g02": 1}
    assert fdfs(own, f"127.0.0.1:{own.storage['g02']}").returncode == OK
    own.down("tracker_server")
    done = fdfs(own, "127.0.0.1")
    assert done.returncode == CRITICAL and "no tracker answers" in done.stdout


def test_fdfs_of_a_stranger_is_critical(stack):
    done = fdfs(stack, "127.0.0.9:1")
    assert done.returncode == CRITICAL and "no tracker knows" in done.stdout


def test_varnish_counts_hits(own):
    file_id = web.stored(web.upload(own.varnish, own.token(), pictures.drawn(seed=31)))
    for _ in range(10):
        assert web.get(own.varnish, "/" + file_id).status == 200

    def counted():
        report = json.loads(varnish(own, "--json", "-i0").stdout)
        return report["cache"][0]["hits"] == 9 and report
    report = until(counted, "varnishd's threads have handed their figures in")
    cache = report["cache"][0]
    assert cache["objects"] >= 1 and cache["evictions"] == 0
    assert round(cache["hit_rate"]) == round(100 * cache["hits"] / (cache["hits"] + cache["misses"]))
    assert report["backend"][0]["backend"] == "gateway" and report["backend"][0]["healthy"] == 1
    (status,) = own.status()
    (part,) = [one for one in status["parts"] if one["part"] == "varnishd"]
    assert part["figures"]["counters"]["hits"] == 9


def test_varnish_finds_a_sick_backend_and_a_dead_cache(own):
    own.down("lighttpd")
    done = until(lambda: (d := varnish(own, "-i0")).returncode == CRITICAL and d, "it is sick")
    assert "SICK" in done.stdout
    own.up("lighttpd")
    until(lambda: varnish(own, "-i0").returncode == OK, "it is healthy")
    own.down("varnishd")
    done = varnish(own, "-i0")
    assert done.returncode == CRITICAL and "varnishd" in done.stdout


def test_watching_ends_with_ctrl_c(stack):
    words = [BUILD / "src/programs/monit_varnish/monit_varnish", "--config", stack.conf, "--json",
             "-i0", "--watch=1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as watching:
        for _ in range(2):
            assert json.loads(watching.stdout.readline())["state"] == "OK"
        watching.send_signal(signal.SIGINT)
        assert watching.wait(10) == OK

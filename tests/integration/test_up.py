"""The first ten minutes, and what `picstore up` promises after them."""
import os
import pathlib
import signal
import socket
import subprocess

import pictures
import web
from installation import BUILD, SAMPLE
from wait import until


def processes_of(installation):
    """Processes that have the installation's folder in their command line."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if str(installation.home).encode() in words and int(folder.name) != os.getpid():
            found.append((int(folder.name), words))
    return found


def test_a_stranger_pastes_the_two_lines(installations):
    one = installations().start()  # with its self-test
    lines = [line for line in one.said().splitlines() if line.startswith(("id=$(", "curl "))]
    assert len(lines) == 2, one.said()
    shell = subprocess.run(["bash"], input="\n".join(lines) + "\n", capture_output=True, text=True,
                           cwd=one.scratch, check=False)
    assert shell.returncode == 0, shell.stderr
    assert f"200 image/jpeg {SAMPLE.stat().st_size} bytes" in shell.stdout
    assert '"result":"success"' in shell.stderr
    assert (one.scratch / "fetched.jpg").read_bytes() == SAMPLE.read_bytes()


def test_the_second_start_finds_everything_again(installations):
    one = installations().start("--no-self-test")
    picture = pictures.photo()
    key = one.token()
    file_id = web.stored(web.upload(one.varnish, key, picture))
    secret = (one.home / "secret/jwt").read_bytes()
    assert one.stop() == 0
    one.start("--no-self-test")
    assert web.get(one.varnish, "/" + file_id).body == picture
    assert (one.home / "secret/jwt").read_bytes() == secret
    web.stored(web.upload(one.varnish, key, picture))


def test_ctrl_c_stops_all_of_it(installations):
    one = installations().start("--no-self-test")
    assert len(processes_of(one)) >= 7
    assert one.stop(signal.SIGINT) == 0
    assert processes_of(one) == []
    for port in (one.varnish, one.lighttpd, one.tracker, *one.storage.values()):
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))
    assert one.fast_folder() is None


def test_nothing_is_left_when_up_itself_is_killed(installations):
    one = installations().start("--no-self-test")
    one.process.kill()
    one.process.wait()
    until(lambda: not processes_of(one), "every part ends")
    one.start("--no-self-test")


def test_secrets_are_private_and_differ(installations):
    one, other = installations(), installations()
    for each in (one, other):
        each.start("--no-self-test")
        each.stop()
        for name in ("des", "jwt"):
            assert (each.home / "secret" / name).stat().st_mode & 0o77 == 0
    for name in ("des", "jwt"):
        assert (one.home / "secret" / name).read_bytes() != (other.home / "secret" / name).read_bytes()


def test_two_copies_run_side_by_side(installations):
    one, other = installations().start("--no-self-test"), installations().start("--no-self-test")
    picture = pictures.drawn(seed=7)
    file_id = web.stored(web.upload(one.varnish, one.token(), picture))
    assert web.get(one.varnish, "/" + file_id).body == picture
    assert web.get(other.varnish, "/" + file_id).status == 404
    web.refused(web.upload(other.varnish, one.token(), picture), 403, "bad_key")
    one.stop()
    web.stored(web.upload(other.varnish, other.token(), picture))


def test_a_taken_port_is_told_before_anything_starts(installations):
    one = installations()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", one.lighttpd))
        taken.listen()
        one.launch("--no-self-test")
        assert one.process.wait(30) == 1
    assert f"port {one.lighttpd}, which lighttpd needs, is taken by" in one.said()
    assert "--port-base" in one.said()
    assert not one.conf.exists()


def test_a_home_has_one_installation_at_a_time(stack):
    second = subprocess.run(stack.command(), capture_output=True, text=True, check=False, timeout=60)
    assert second.returncode == 1
    assert "is up already" in second.stderr
    # It has left the first one as it was: its supervisor, its scratch folders.
    assert list((stack.home / "run/service").glob("*/run"))
    assert stack.fast_folder() is not None


def test_ports_are_kept_for_later_starts(installations):
    one = installations().start("--no-self-test")
    one.stop()
    again = subprocess.Popen(one.command("--no-self-test"), stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    said = ""
    for line in again.stdout:
        said += line
        if "Ctrl-C" in line:
            break
    again.send_signal(signal.SIGTERM)
    assert again.wait(30) == 0
    again.stdout.close()
    assert one.url in said


def test_wrong_settings_are_told_with_their_line(installations):
    one = installations({("upload", "max_width"): "wide"})
    one.configure(one.settings)
    one.settings = {}
    one.launch()
    assert one.process.wait(30) == 1
    assert "picstore.conf:" in one.said() and "max_width" in one.said()


def refused(one):
    one.launch()
    assert one.process.wait(30) == 1
    return one.said()


def test_a_store_path_whose_disk_is_not_mounted_is_refused(installations):
    one = installations().start("--no-self-test")
    picture = pictures.drawn(seed=31)
    file_id = web.stored(web.upload(one.varnish, one.token(), picture))
    assert one.stop() == 0
    disk, elsewhere = one.home / "data/g01", one.home / "data/elsewhere"
    disk.rename(elsewhere)
    said = refused(one)
    assert "data/g01" in said and "has no .picstore" in said and "mounted?" in said
    assert not list(disk.iterdir()), "nothing is stored in the wrong place"
    # The disks of two groups, the wrong way round.
    disk.rmdir()
    (one.home / "data/g02").rename(disk)
    elsewhere.rename(one.home / "data/g02")
    assert "has another .picstore" in refused(one)
    disk.rename(elsewhere)
    (one.home / "data/g02").rename(disk)
    elsewhere.rename(one.home / "data/g02")
    one.start("--no-self-test")
    assert web.get(one.varnish, "/" + file_id).body == picture


def test_a_part_that_ends_is_started_again(own):
    for part in ("tracker_server", "storage_server-g01", "download.fcgi", "upload.cgi",
                 "lighttpd", "varnishd"):
        own.kill(part)
        until(lambda: f"{part.replace('-g01', ' g01')} was ended by signal 9" in own.said(),
              "up tells of it")
    picture = pictures.drawn(seed=8)
    answer = until(lambda: (a := web.upload(own.varnish, own.token(), picture)).status == 200 and a,
                   "uploads are taken again")
    assert web.get(own.varnish, "/" + web.stored(answer)).body == picture


def test_a_path_that_is_too_long_for_sockets_is_no_obstacle(installations):
    one = installations()
    one.home = one.scratch / ("long-" * 15) / ("longer-" * 8) / "home"
    one.conf = one.home / "etc/picstore.conf"
    one.start("--no-self-test")
    picture = pictures.drawn(seed=9)
    file_id = web.stored(web.upload(one.varnish, one.token(), picture))
    assert web.get(one.varnish, "/" + file_id).body == picture


def test_a_folder_that_cannot_be_written_into_settings_is_refused(installations):
    one = installations()
    one.home = one.scratch / 'a"b'
    one.launch()
    assert one.process.wait(30) == 1
    assert "--home" in one.said()


def test_an_installed_copy_runs_without_its_source(installations):
    one = installations()
    programs = one.scratch / "programs"
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet"], check=True,
                   capture_output=True, env={**os.environ, "DESTDIR": str(programs)})
    one.program = next(programs.rglob("bin/picstore"))
    one.start()
    assert str(BUILD) not in one.said()

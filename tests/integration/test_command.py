"""The picstore command against a running installation."""
import json
import os
import subprocess

import pictures
import web
from installation import PICSTORE, SAMPLE


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_put_get_stat_rm(stack, tmp_path):
    picture = pictures.photo(4)
    path = tmp_path / "a.jpg"
    path.write_bytes(picture)
    file_id, name = stack.picstore("put", path).stdout.strip().split("\t")
    assert name == str(path)
    assert web.get(stack.varnish, "/" + file_id).body == picture
    assert stack.picstore("get", "-o", "-", file_id, text=False).stdout == picture
    found = lines(stack.picstore("stat", "--json", file_id))[0]
    assert found["id"] == file_id and str(len(picture)) in json.dumps(found)
    assert file_id in stack.listed(file_id[:3])
    stack.picstore("rm", file_id)
    assert web.get(stack.varnish, "/" + file_id).status == 410
    assert file_id not in stack.listed()
    assert stack.picstore("get", "-o", "-", file_id, check=False).returncode == 1
    assert "gone already" in stack.picstore("rm", file_id).stdout


def test_a_folder_goes_in_and_comes_out_by_pipe(stack, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    (folder / "below").mkdir(parents=True)
    out.mkdir()
    contents = set()
    for i in range(40):
        content = pictures.with_comment(pictures.drawn(), i)
        contents.add(content)
        (folder / ("below" if i % 2 else ".") / f"{i}.jpg").write_bytes(content)
    put = stack.picstore("put", "-j", "8", folder)
    assert len(put.stdout.splitlines()) == 40
    stack.picstore("get", "-o", out, "-", stdin=put.stdout)
    assert {path.read_bytes() for path in out.iterdir()} == contents
    stack.picstore("rm", "-", stdin=put.stdout)
    assert all(web.get(stack.varnish, "/" + line.split("\t")[0]).status == 410
               for line in put.stdout.splitlines())


def test_a_hostile_folder_puts_no_ids_into_the_pipe(stack, tmp_path):
    victim = stack.picstore("put", "-q", SAMPLE).stdout.strip()
    group, *folders = victim.split("/")
    folder = tmp_path / "in"
    # A path whose second line is the id of somebody else's picture.
    evil = folder.joinpath("x\n" + group, *folders)
    evil.parent.mkdir(parents=True)
    evil.write_bytes(pictures.drawn())
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    put = stack.picstore("put", folder)
    assert len(put.stdout.splitlines()) == 1
    stack.picstore("rm", "-", stdin=put.stdout)
    assert web.get(stack.varnish, "/" + victim).status == 200
    for path in (folder / "pipe", "/dev/zero", "/dev/null"):
        done = stack.picstore("put", path, check=False)
        assert done.returncode == 1 and "regular" in done.stderr


def test_doctor(stack):
    before = stack.listed()
    steps = lines(stack.picstore("doctor", "--json"))
    assert steps
    assert stack.listed() == before, "nothing stays behind"


def test_doctor_says_what_is_wrong(own):
    own.down("storage_server-g01")
    own.down("storage_server-g02")
    done = own.picstore("doctor", check=False)
    assert done.returncode == 1
    own.up("storage_server-g01")
    own.up("storage_server-g02")
    own.picstore("doctor")


def test_status(stack):
    text = stack.picstore("status").stdout
    for part in ("tracker_server", "storage_server", "download.fcgi", "upload.cgi", "g01", "g02"):
        assert part in text
    assert lines(stack.picstore("status", "--json"))


def test_fsck_finds_nothing(stack):
    stack.picstore("fsck")


def test_wrong_use_is_told(stack):
    for words in (["put"], ["get"], ["frobnicate"], ["token", "--uid", "x"], ["stat", "nonsense"]):
        done = stack.picstore(*words, check=False)
        assert done.returncode in (1, 2) and done.stderr, words


def test_the_settings_of_the_home_are_found(stack):
    environment = {"PATH": os.environ["PATH"], "PICSTORE_HOME": str(stack.home)}
    done = subprocess.run([PICSTORE, "config", "check"], env=environment, capture_output=True,
                          text=True, check=True)
    assert done.stdout.startswith(str(stack.conf))

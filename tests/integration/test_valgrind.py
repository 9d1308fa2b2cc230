"""A picture's life while our programs run under valgrind.

All but upload.cgi and cut_svr: Debian's valgrind has no pidfd_open, which tells them of the end of
their decoders.  These run here beside it."""
import shutil
import subprocess

import pytest

import pictures
import web
from installation import BUILD, TREE
from test_confinement import OWN

NAMES = sorted({part.partition("-g0")[0] for part in OWN} - {"upload.cgi", "cut_svr"})
SUPPRESSED = TREE / "tests/integration/valgrind.supp"
WRAPPER = """#!/bin/sh
exec valgrind --quiet --error-exitcode=99 --child-silent-after-fork=yes --leak-check=full \\
	--errors-for-leak-kinds=definite --suppressions={supp} --log-file={reports}/%p.{name} {real} "$@"
"""


@pytest.fixture
def watched(installations):
    """An installed copy whose programs are started by valgrind, and the folder of its reports."""
    one = installations({("picstore", "confine"): "no"})  # it writes reports and reads sources
    root, reports = one.scratch / "programs", one.scratch / "reports"
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", root],
                   check=True, capture_output=True)
    reports.mkdir()
    reports.chmod(0o777)
    for name in NAMES:
        program = next(path for path in root.rglob(name) if path.is_file())
        real = program.with_name(name + ".real")
        shutil.move(program, real)
        program.write_text(WRAPPER.format(supp=SUPPRESSED, reports=reports, name=name, real=real))
        program.chmod(0o755)
    one.program = next(root.rglob("bin/picstore"))
    return one.start("--no-self-test"), reports


@pytest.mark.optimised
def test_no_program_misuses_memory(watched, tmp_path):
    home, reports = watched
    picture = pictures.photo(4)
    stored = web.stored(web.upload(home.varnish, home.token(), picture))
    assert web.get(home.varnish, "/" + stored).body == picture
    assert web.get(home.lighttpd, "/" + stored).body == picture
    web.refused(web.upload(home.varnish, home.token(), picture[:2000]), 422, "truncated")
    cut = home.picstore("cut", "64x64", stored).stdout.split()[-1]
    assert web.get(home.varnish, "/" + cut).status == 200
    path = tmp_path / "a.jpg"
    path.write_bytes(picture)
    other = home.picstore("put", path).stdout.split()[0]
    home.picstore("rm", "--later", other)
    home.picstore("rm", "--now", stored)
    assert web.get(home.varnish, "/" + stored).status == web.get(home.varnish, "/" + cut).status == 410
    home.stop()
    said = [path for path in sorted(reports.iterdir()) if path.stat().st_size > 0]
    assert {path.name.partition(".")[2] for path in reports.iterdir()} >= set(NAMES)
    assert said == [], "\n".join(path.read_text() for path in said)

"""What ./test says in the end, of runs that went well and of runs that did not."""
import json
import subprocess
import sys

from installation import TREE

OK = {"result": "OK", "stdout": "[       OK ] a\n[       OK ] b\n"}
CRASH = {"result": "FAIL", "stdout": "[       OK ] a\n[ RUN      ] b\n", "stderr": "Segmentation fault"}


def tally(results, *words):
    return subprocess.run([sys.executable, TREE / "tests/tally.py", results, *map(str, words)],
                          capture_output=True, text=True, check=False)


def suite(results, status, *lines):
    log, output = results / "testlog.json", results / "unit.out"
    log.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    output.write_text("what meson said")
    said = tally(results, "meson", "unit", log, output, status)
    total = tally(results, "total")
    return said.stdout, total.stdout.strip(), total.returncode


def test_cases_are_counted(tmp_path):
    assert suite(tmp_path, 0, OK, OK)[1:] == ("4 passed, 0 failed", 0)


def test_a_test_that_crashes_fails(tmp_path):
    assert suite(tmp_path, 1, OK, CRASH)[1:] == ("3 passed, 1 failed", 1)


def test_a_runner_that_dies_half_way_fails(tmp_path):
    said, *total = suite(tmp_path, 137, OK)
    assert total == ["2 passed, 1 failed", 1]
    assert "what meson said" in said
    assert suite(tmp_path, 137, OK, '{"result": "O')[1:] == ("2 passed, 1 failed", 1)


def test_a_run_without_any_test_fails(tmp_path):
    assert tally(tmp_path, "total").returncode == 1

"""Half a minute of tests/soak/run: everything under load, and kill -9 of random processes."""
import re
import subprocess

from installation import TREE


def test_half_a_minute_of_load_and_kills():
    done = subprocess.run([TREE / "tests/soak/run", "--minutes", "0.5", "--kill-every", "1.5"],
                          capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    ids, kills, wrong = map(int, re.search(r"(\d+) ids, (\d+) kills, (\d+) wrong\n$", done.stdout).groups())
    assert ids > 100 and kills > 5 and wrong == 0, done.stdout

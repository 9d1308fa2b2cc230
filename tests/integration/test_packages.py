"""packages/install.sh on a machine that has never heard of a package."""
import subprocess

from installation import TREE


def missing(tmp_path, *names):
    wanted = tmp_path / "wanted"
    wanted.write_text("# why\n" + "".join(f"{name}  # note\n" for name in names))
    script = 'set -euo pipefail; . packages/install.sh; missing_packages "$1"'
    done = subprocess.run(["bash", "-c", script, "-", wanted], cwd=TREE, capture_output=True,
                          text=True, check=True)
    return done.stdout.split()


def test_unknown_packages_are_missing(tmp_path):
    assert missing(tmp_path, "no-such-package", "bash", "nor-this-one") == [
        "no-such-package", "nor-this-one"]


def test_installed_packages_are_not_missing(tmp_path):
    assert missing(tmp_path, "bash", "coreutils") == []

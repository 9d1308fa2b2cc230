"""The clients of npm, `fdfs` and `fastdfs-client`, run their whole interface against us."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from installation import TREE

FOLDER = TREE / "tests/clients-npm"
CLIENTS = ("fdfs", "fastdfs-client")
STEPS = 21


def run(words, **more):
    return subprocess.run(words, cwd=FOLDER, capture_output=True, text=True, timeout=300, check=False,
                          **more)


def wanted():
    """{name: version} of everything in the lock file."""
    packages = json.loads((FOLDER / "package-lock.json").read_text())["packages"]
    return {name: entry["version"] for name, entry in packages.items() if name}


def is_installed(folder):
    """All of it, in the versions of the lock file."""
    for name, version in wanted().items():
        manifest = pathlib.Path(folder) / name / "package.json"
        if not manifest.is_file() or json.loads(manifest.read_text())["version"] != version:
            return False
    return True


@pytest.fixture(scope="module")
def modules():
    """NODE_PATH of the clients, which are installed if they are not there yet."""
    for program in ("node", "npm"):
        assert shutil.which(program), f"{program} is missing; Debian has it as {program.replace('node', 'nodejs')}"
    if not is_installed(FOLDER):
        done = run(["npm", "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund",
                    "--prefer-offline"])
        assert done.returncode == 0, f"npm cannot install the clients:\n{done.stdout}{done.stderr}"
    assert is_installed(FOLDER)
    return FOLDER / "node_modules"


@pytest.mark.parametrize("client, layout", [("fastdfs-client", "105-612"), ("fdfs", "105-600")])
def test_the_whole_interface(installations, modules, tmp_path, client, layout):
    one = installations({("fdfs", "record_layout"): layout}).start("--no-self-test")
    done = run(["node", "--no-deprecation", "api.js", client, str(one.tracker), tmp_path],
               env={**os.environ, "NODE_PATH": str(modules)})
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"step"')]
    assert [r for r in results if r["error"]] == []
    assert len(results) == STEPS

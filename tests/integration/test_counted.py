"""Hot paths take no more instructions than tests/counted/counts.json says."""
import importlib.util
import json

import pytest

from installation import BUILD, TREE

GROWTH = 1.05

spec = importlib.util.spec_from_file_location("counting", TREE / "tests/counted/counting.py")
counting = importlib.util.module_from_spec(spec)
spec.loader.exec_module(counting)
KNOWN = json.loads(counting.FILE.read_text())


@pytest.mark.parametrize("path", sorted(KNOWN["counts"]))
def test_a_hot_path_has_not_grown(path):
    """Where another compiler built this, its counts are its own: then all that is asked
    for is that they can be counted at all."""
    found = counting.count(BUILD, {path})[path]
    assert found > 0
    if counting.compiler(BUILD) == KNOWN["compiler"]:
        assert found <= KNOWN["counts"][path] * GROWTH, (
            f"{path}: {found} instructions of ours, {KNOWN['counts'][path]} are in {counting.FILE.name}; "
            "if that is on purpose: tests/counted/counting.py --write")


def test_every_path_is_in_the_file(tmp_path):
    assert set(KNOWN["counts"]) == set(counting.Counter(BUILD, tmp_path).paths())

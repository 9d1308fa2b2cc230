"""tally.py - count test cases for ./test.

    tally.py RESULTS meson NAME TESTLOG OUTPUT STATUS   what "meson test" wrote
    tally.py RESULTS junit NAME FILE STATUS             what pytest wrote
    tally.py RESULTS lines NAME FILE                    lines "ok ..." and "failed ..."
    tally.py RESULTS broken NAME                        a suite that could not run
    tally.py RESULTS total                              the last line; exit 1 if anything failed

STATUS is the exit status: a runner that dies half way has no failure in its list.

Each call but the last prints one line for its suite and leaves the figures in
RESULTS/NAME.tally.
"""
import json
import pathlib
import re
import sys
import xml.etree.ElementTree


def cases(test):
    """(passed, failed, skipped) of one meson test, in single cases if its output tells."""
    text = test.get("stdout", "") + test.get("stderr", "")
    passed = len(re.findall(r"^\[       OK \] ", text, re.M))
    failed = len(set(re.findall(r"^\[  (?:FAILED|ERROR)  +\] (\w+)$", text, re.M)))
    skipped = len(set(re.findall(r"^\[  SKIPPED \] (\w+)$", text, re.M)))
    replayed = re.search(r"^replayed (\d+) inputs?$", text, re.M)
    if replayed:
        passed += int(replayed.group(1))
    good = test["result"] in ("OK", "EXPECTEDFAIL")
    if test["result"] == "SKIP":
        return 0, 0, 1
    if not good and failed == 0:
        failed = 1  # it crashed or ran out of time
    if good and passed + skipped == 0:
        passed = 1
    return passed, failed, skipped


def from_meson(log, output, status):
    total = [0, 0, 0]
    path = pathlib.Path(log)
    if not path.exists():
        text = pathlib.Path(output).read_text()
        if "No suitable tests defined" in text:
            return total
        print(text)
        return [0, 1, 0]
    for line in path.read_text().splitlines():
        try:
            total = [a + b for a, b in zip(total, cases(json.loads(line)))]
        except ValueError:
            total[1] += 1  # its last line was not finished
    if status != "0" and total[1] == 0:
        total[1] = 1  # meson itself failed
    if total[1]:
        print(pathlib.Path(output).read_text())
    return total


def from_junit(path, status):
    total = [0, 0, 0]
    try:
        suites = xml.etree.ElementTree.parse(path).getroot()
    except (OSError, xml.etree.ElementTree.ParseError):
        return [0, 1, 0]
    for case in suites.iter("testcase"):
        kinds = {child.tag for child in case}
        total[1 if kinds & {"failure", "error"} else 2 if "skipped" in kinds else 0] += 1
    if status not in ("0", "5") and total[1] == 0:
        total[1] = 1  # pytest itself failed
    return total


def from_lines(path):
    lines = pathlib.Path(path).read_text().splitlines()
    return [sum(l.startswith("ok ") for l in lines), sum(l.startswith("failed ") for l in lines), 0]


def sentence(total):
    text = f"{total[0]} passed, {total[1]} failed"
    return text + f", {total[2]} skipped" if total[2] else text


def main(results, what, name=None, *rest):
    results = pathlib.Path(results)
    if what == "total":
        total = [0, 0, 0]
        for path in results.glob("*.tally"):
            total = [a + b for a, b in zip(total, json.loads(path.read_text()))]
        print(sentence(total))
        return 1 if total[1] or not total[0] else 0
    read = {"meson": from_meson, "junit": from_junit, "lines": from_lines,
            "broken": lambda: [0, 1, 0]}[what]
    total = read(*rest)
    (results / f"{name}.tally").write_text(json.dumps(total))
    print(f"{name}: {sentence(total)}")
    return 0


sys.exit(main(*sys.argv[1:]))

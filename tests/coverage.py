"""coverage.py - how many lines of each library the tests reach, from gcovr's CSV.

    coverage.py CSV LIBRARY...

Prints a table of all to stderr, and "ok" or "failed" for each LIBRARY (a folder of src/), of
which over 90 % have to be reached.
"""
import collections
import csv
import sys

LEAST = 90.0


def main(path, *libraries):
    lines = collections.defaultdict(lambda: [0, 0])
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            folder = row["filename"].split("/")[1]
            lines[folder][0] += int(row["line_covered"])
            lines[folder][1] += int(row["line_total"])
    for folder, (covered, total) in sorted(lines.items()):
        print(f"{folder:12} {100 * covered / max(total, 1):5.1f} %  {covered} of {total} lines",
              file=sys.stderr)
    for folder in libraries:
        covered, total = lines[folder]
        good = total > 0 and 100 * covered / total > LEAST
        print(f"{'ok' if good else 'failed'} src/{folder}")


main(*sys.argv[1:])

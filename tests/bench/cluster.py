"""Our tracker and storage against a FastDFS: both as their clients use them."""

import os
import statistics

import ours
import rig

SIZES_KB = {5: 2000, 50: 1000, 200: 400}  # and how many files a round
CONNECTIONS = (1, 4, 16)
KINDS = {"put": "uploads", "get": "downloads", "delete": "deletes"}


def aim(kind, size_kb):
    """Of the rate of FastDFS, which does not wait for the disk; None: there is none."""
    return {"get": 1.2, "delete": 1.0, "put": 1.5 if size_kb >= 50 else None}[kind]


def first_group(tracker):
    """The group that has one storage only: what is copied to another one has its price."""
    done = rig.ask_fdfs(tracker, 91)
    groups = [done[at:at + 113] for at in range(0, len(done), 113)]
    alone = [one for one in groups if int.from_bytes(one[49:57], "big") == 1]
    if not alone:
        raise rig.Failure(f"{tracker} has no group of one storage")
    return alone[-1][:17].split(b"\0")[0].decode()


def sides(bench, storages, rival, size_kb, connections, folder):
    """{kind: [our Side, the rival's]}; a list of ids each, which the kinds share."""
    places = [("picstore, durable", f"127.0.0.1:{storages.tracker_port}", "g01",
               list(storages.servers.values()))]
    if rival is not None:
        places.append(("FastDFS", rival, first_group(rival), []))
    found = {}
    for kind in KINDS:
        found[kind] = []
        for number, (name, tracker, group, servers) in enumerate(places):
            words = ["load_cluster", "-t", tracker, "-k", kind, "-c", connections]
            if kind == "put":
                words += ["-n", SIZES_KB[size_kb], "-s", size_kb * 1024, "-g", group]
            words.append(os.path.join(folder, f"{number}.list"))
            found[kind].append(rig.Side(name, servers, lambda _, words=words: words))
    return found


def alone(title, side):
    print(f"\n{title}: {rig.median(side, 'rate'):.0f} a second, p50 "
          f"{rig.median(side, 'p50_us'):.0f} us, p99 {rig.median(side, 'p99_us'):.0f} us")


def fastdfs(bench):
    """Uploads, downloads and deletes a second, each after a question to the tracker."""
    home = bench.folder("fastdfs")
    storages = ours.Storages(bench.build, home, {"g01": "volume"})
    ratios = {}
    try:
        storages.start_tracker()
        storages.start("g01")
        rig.wait_for("the tracker knows the storage", lambda: rig.ask_fdfs(
            f"127.0.0.1:{storages.tracker_port}", 91) != b"")
        for size_kb in SIZES_KB:
            for connections in CONNECTIONS:
                kinds = sides(bench, storages, bench.fastdfs, size_kb, connections, home)
                for number in range(bench.rounds + 1):
                    for both in kinds.values():
                        for side in both[::1 if number % 2 else -1]:
                            result = rig.measure(bench.build, side, number)
                            if number > 0:
                                side.results.append(result)
                for kind, both in kinds.items():
                    title = f"{KINDS[kind].capitalize()}, {size_kb} KB, {connections} connections"
                    if len(both) == 1:
                        alone(title, both[0])
                    else:
                        ratios[kind, size_kb, connections] = rig.report(
                            title, *both, aim(kind, size_kb))
    finally:
        storages.stop()
    if bench.fastdfs is None:
        print("\nNo FastDFS to compare with: --fastdfs HOST:PORT or PICSTORE_TEST_FASTDFS "
              "names a tracker of one")
    for kind, title in KINDS.items():
        of_kind = [ratio for (which, *_), ratio in ratios.items() if which == kind]
        if of_kind:
            print(f"{title}: ratios {min(of_kind):.2f} to {max(of_kind):.2f}, "
                  f"median {statistics.median(of_kind):.2f}")

"""A group in a Ceph pool, through storage_server, against nothing but librados."""

import os
import shutil
import sys

import ours
import rig

sys.path.insert(0, os.path.join(rig.TOP, "tests", "integration"))

import ceph  # noqa: E402

GROUP = "g01"
AIM = 0.85
# Bytes, and how many in a round with 1 and with 16 in flight: what three OSDs of 4 GiB take.
SIZES = ((5_000, 300, 1500), (50_000, 200, 800), (500_000, 60, 200))
STORAGE = """\
id = 1
rados_conf = {conf}
rados_keyring = {keyring}
rados_pool = {pool}
journal = {journal}
"""


def picture(folder, size):
    """Bytes that are no picture: nobody looks at them."""
    path = os.path.join(folder, f"{size}.bin")
    with open(path, "wb") as out:
        out.write(os.urandom(size))
    return path


def compare_one(bench, cluster, storages, size, count, in_flight, folder):
    place = f"127.0.0.1:{storages.ports[GROUP]}"
    content = picture(folder, size)
    # Each round puts other objects; what is read are those of the first.
    prefix = f"bare-{size}-{in_flight}-"
    listed = os.path.join(folder, "listed")

    def put(number):
        more = ["-o", listed] if number == 0 else []
        return ["load_fdfs", "-a", place, "-c", in_flight, "-n", count, "-f", number * count, *more, content]

    def get(_number):
        return ["load_http", "-f", "-a", place, "-c", in_flight, listed]

    def bare(kind):
        def arguments(number):
            return ["load_rados", "-f", cluster.conf, "-u", ceph.USER, "-k", cluster.keyring, "-p", ceph.POOL,
                    "-c", in_flight, "-n", count, "-b", size, "-x", f"{prefix}{number if kind == 'put' else 0}-", kind]
        return arguments
    servers = [storages.servers[GROUP]]
    for kind, load in (("put", put), ("get", get)):
        rig.compare(bench.build, f"{kind} of {size // 1000} KB in a Ceph pool, {in_flight} in flight",
                    rig.Side("storage_server", servers, load), rig.Side("librados alone", [], bare(kind)),
                    bench.rounds, AIM)


def empty(cluster):
    with cluster.pool() as objects:
        for one in objects.list_objects():
            objects.aio_remove(one.key)
        objects.aio_flush()


def rados(bench):
    """Puts and gets in a Ceph pool: through storage_server, and with nothing but librados."""
    if not ceph.is_installed() or not os.path.exists(os.path.join(bench.build, "tests/bench/load_rados")):
        raise rig.Failure("rados needs what packages/ceph lists, and a build with -Drados=enabled")
    home = bench.folder("rados")
    with ceph.Ceph() as cluster:
        rig.prefer([daemon.pid for daemon in cluster.daemons.values()])
        storages = ours.Storages(bench.build, home, {GROUP: "rados"}, STORAGE.format(
            conf=cluster.conf, keyring=cluster.keyring, pool=ceph.POOL,
            # Elsewhere a storage does not wait for the disk of an OSD either.
            journal=bench.folder("journal", "tmpfs")))
        try:
            storages.start_tracker()
            storages.start(GROUP)
            for size, one, many in SIZES:
                for in_flight, count in ((1, one), (16, many)):
                    compare_one(bench, cluster, storages, size, count, in_flight, home)
                    empty(cluster)
        finally:
            storages.stop()
    shutil.rmtree(home)

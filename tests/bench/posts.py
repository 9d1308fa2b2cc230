"""Uploads over HTTP: POST through lighttpd and upload.cgi against nginx WebDAV."""

import contextlib
import os
import shutil
import statistics
import zlib

import ours
import rig
from rivals import NginxDav

CONNECTIONS = 16
COUNTS = {4: 4000, 43: 2000, 230: 600, rig.MEGABYTE: 150}
AIM = 0.8  # of the rate of nginx, which does not wait for the disk
STEPS = ("form", "key", "file", "check", "note", "store")
FULL_CHECK_COUNT = 200


def picture(bench, size_kb):
    """One that can be decoded whatever number it has."""
    path = os.path.join(bench.scratch, f"{size_kb}kb-commented.jpg")
    if not os.path.exists(path):
        with open(bench.picture(size_kb), "rb") as plain:
            data = rig.commented(plain.read())
        with open(path, "wb") as out:
            out.write(data)
    return path


def check_files(root, path):
    """Every file that nginx took in has the bytes that were sent under its name."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    names = sorted(os.listdir(root))
    for name in names[::max(1, len(names) // 100)]:
        data[rig.COMMENT_AT:rig.COMMENT_AT + 8] = name.removesuffix(".jpg").encode()
        with open(os.path.join(root, name), "rb") as file:
            if zlib.crc32(file.read()) != zlib.crc32(bytes(data)):
                raise rig.Failure(f"nginx has other bytes in {name}")


def header_check(bench, size_kb):
    path, count = picture(bench, size_kb), COUNTS[size_kb]
    home, folder = bench.folder("posts"), bench.folder("dav")
    with contextlib.ExitStack() as stack:
        chain = ours.Chain(bench.build, home, "64M", more="[upload]\ncheck = header\n")
        stack.callback(chain.stop)
        rival = NginxDav(folder)
        stack.callback(rival.stop)

        def load(port, *how):
            return lambda number: [
                "load_post", "-a", f"127.0.0.1:{port}", "-c", CONNECTIONS, "-n", count,
                "-f", number * count, "-s", rig.COMMENT_AT, *how, path]

        rig.compare(
            bench.build, f"POST of {size_kb} KB, header check, {CONNECTIONS} connections",
            rig.Side("picstore :8080, durable", chain.servers,
                     load(chain.gateway, "-k", chain.session_key())),
            rig.Side("nginx WebDAV PUT", rival.servers, load(rival.port, "-u", "")),
            bench.rounds, AIM)
        check_files(rival.root, path)
    for used in (home, folder):
        shutil.rmtree(used)


def full_check(bench, size_kb):
    """What an upload costs whose every pixel is decoded, one at a time: CPU by process, and the
    time that upload.cgi spends on each step."""
    home, path = bench.folder("posts"), picture(bench, size_kb)
    chain = ours.Chain(bench.build, home, "64M")
    count = FULL_CHECK_COUNT if size_kb < rig.MEGABYTE else FULL_CHECK_COUNT // 4
    processor, steps, p50 = {}, {step: [] for step in STEPS}, []
    try:
        key = chain.session_key()
        for number in range(bench.rounds + 1):
            before, told = rig.cpu_us(chain.servers), chain.figures("upload.cgi")
            result = rig.drive(bench.build, [
                "load_post", "-a", f"127.0.0.1:{chain.gateway}", "-c", 1, "-n", count,
                "-f", number * count, "-s", rig.COMMENT_AT, "-k", key, path])
            after, tells = rig.cpu_us(chain.servers), chain.figures("upload.cgi")
            if number == 0:
                continue
            p50.append(result["p50_us"])
            for name, us in after.items():
                processor.setdefault(name, []).append((us - before.get(name, 0)) / count)
            for step in STEPS:
                steps[step].append((tells[f"{step}_us"] - told[f"{step}_us"]) / count)
    finally:
        chain.stop()
    shutil.rmtree(home)
    cpu = {name: statistics.median(values) for name, values in processor.items()}
    print(f"\nPOST of {size_kb} KB, full check, one at a time: p50 {statistics.median(p50):.0f} us")
    print(f"  CPU us a picture {sum(cpu.values()):.0f}: "
          + ", ".join(f"{name} {us:.0f}" for name, us in cpu.items() if us >= 0.5))
    print("  us in upload.cgi by step: " + ", ".join(
        f"{step} {statistics.median(values):.0f}" for step, values in steps.items()), flush=True)


def posts(bench):
    for size_kb in COUNTS:
        header_check(bench, size_kb)
    for size_kb in COUNTS:
        full_check(bench, size_kb)

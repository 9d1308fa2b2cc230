"""pictures.py - what clients upload: real photographs, and drawn pictures of any size."""
import functools
import io
import pathlib
import random

import PIL.Image

PHOTOS = sorted(pathlib.Path("/usr/share/backgrounds").glob("*_by_*.jpg"))


@functools.lru_cache(maxsize=64)
def drawn(width=64, height=48, kind="JPEG", seed=0, **options):
    """A small picture; another `seed` is another picture."""
    noise = random.Random(seed).randbytes(3 * 16 * 12)
    picture = PIL.Image.frombytes("RGB", (16, 12), noise).resize((width, height))
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


@functools.lru_cache(maxsize=8)
def noisy(size, seed=0):
    """A JPEG of about `size` bytes that does not compress."""
    side = max(16, int(size ** 0.5))
    noise = random.Random(seed).randbytes(3 * side * side)
    out = io.BytesIO()
    PIL.Image.frombytes("RGB", (side, side), noise).save(out, "JPEG", quality=90)
    return out.getvalue()


@functools.lru_cache(maxsize=4)
def photo(which=0):
    return PHOTOS[which].read_bytes()


def with_comment(picture, number):
    """The same JPEG with another comment in it: as many different files as are wanted."""
    comment = b"number %09d" % number
    return picture[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + picture[2:]

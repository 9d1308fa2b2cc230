"""bombs.py - pictures that claim, hide or break more than they should: {name: (bytes, type)}."""
import functools
import io
import struct
import zlib

import PIL.Image

import pictures

KINDS = {"jpg": "JPEG", "png": "PNG", "gif": "GIF", "webp": "WEBP"}


def sound(kind, width=64, height=48, **options):
    return pictures.drawn(width, height, kind=KINDS[kind], seed=410, **options)


# ---- PNG

def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@functools.lru_cache(maxsize=4)
def zeros(megabytes):
    packer = zlib.compressobj(9)
    piece = bytes(1 << 20)
    return b"".join(packer.compress(piece) for _ in range(megabytes)) + packer.flush()


def png(width, height, depth=8, colours=2, rows=b"", before=b""):
    head = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + before +
            chunk(b"IDAT", rows or zlib.compress(bytes(1000))) + chunk(b"IEND", b""))


def png_with(before):
    good = sound("png")
    return good[:33] + before + good[33:]


# ---- JPEG

def segment(marker, data):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def jpeg_sized(width, height):
    good = bytearray(sound("jpg"))
    at = good.index(b"\xff\xc0")
    good[at + 5:at + 9] = struct.pack(">HH", height, width)
    return bytes(good)


def jpeg_with(*segments):
    good = sound("jpg")
    return good[:2] + b"".join(segments) + good[2:]


def icc_profile(size):
    """A profile whose tag table claims a thousand million tags."""
    head = bytearray(132)
    head[0:4] = struct.pack(">I", size)
    head[12:24] = b"mntrRGB XYZ "
    head[36:40] = b"acsp"
    head[128:132] = struct.pack(">I", 1_000_000_000)
    return bytes(head) + bytes(max(0, size - 132))


def exif(body):
    return b"Exif\0\0" + body


def looping_exif():
    """Its first directory is also the one after it, and its own sub-directory."""
    entry = struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<HHII", 0x0112, 3, 1, 6)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 2) + entry + struct.pack("<I", 8)


def huge_exif():
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 65535) + \
        struct.pack("<HHII", 0x010E, 2, 0xFFFFFFFF, 0xFFFFFFF0) * 4000


def progressive(scans):
    """A progressive JPEG whose last scan comes again and again: each is decoded as a whole."""
    good = sound("jpg", 1000, 1000, progressive=True, quality=10)
    at = good.rindex(b"\xff\xda")
    return good[:at] + good[at:-2] * scans + good[-2:]


# ---- GIF

def gif_sized(width, height):
    good = bytearray(sound("gif"))
    good[6:10] = struct.pack("<HH", width, height)
    return bytes(good)


def gif_frames(count, side):
    picture = PIL.Image.new("P", (side, side))
    out = io.BytesIO()
    picture.save(out, "GIF")
    good = out.getvalue()
    at = good.index(b"\x2c" + struct.pack("<HHHH", 0, 0, side, side))
    return good[:at] + good[at:-1] * count + b";"


# ---- WebP

def riff(*chunks):
    body = b"WEBP" + b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
                              for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_image():
    good = sound("webp")
    size = struct.unpack("<I", good[16:20])[0]
    return good[12:16], good[20:20 + size]


def webp_extended(width, height, flags, *chunks):
    head = bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return riff((b"VP8X", head), *chunks)


def webp_frames(count, side):
    frame = (b"\0" * 6 + (side - 1).to_bytes(3, "little") * 2 + b"\1\0\0\0")
    out = io.BytesIO()
    PIL.Image.new("RGB", (side, side)).save(out, "WEBP", lossless=True)
    good = out.getvalue()
    data = frame + good[12:]
    return webp_extended(side, side, 2, (b"ANIM", bytes(6)), *[(b"ANMF", data)] * count)


def lossless_sized(width, height):
    bits = (width - 1) | (height - 1) << 14
    return riff((b"VP8L", b"\x2f" + struct.pack("<I", bits) + bytes(100)))


@functools.lru_cache(maxsize=1)
def all_of_them():
    name, image = webp_image()
    zipped = b"bomb\0\0" + zeros(64)
    found = {
        "png that claims 15000 x 15000": (png(15000, 15000), "png"),
        "png that claims 2^31-1 x 2^31-1": (png((1 << 31) - 1, (1 << 31) - 1), "png"),
        "png that claims nothing": (png(0, 0), "png"),
        "png of 30000 x 30000 bits": (png(30000, 30000, 1, 0, zeros(108)), "png"),
        "png of 100000 x 1": (png(100000, 1, 1, 0, zlib.compress(bytes(12501))), "png"),
        "png whose rows unpack to 108 MB": (png(64, 48, rows=zeros(108)), "png"),
        "png with a profile of 64 MB": (png_with(chunk(b"iCCP", zipped)), "png"),
        "png with a text of 64 MB": (png_with(chunk(b"zTXt", zipped)), "png"),
        "png with another text of 64 MB": (
            png_with(chunk(b"iTXt", b"bomb\0\1\0\0\0" + zeros(64))), "png"),
        "png with a thousand texts": (png_with(chunk(b"zTXt", b"a\0\0" + zeros(1)) * 1000), "png"),
        "png with 20000 chunks": (png_with(chunk(b"tEXt", b"a\0b") * 20000), "png"),
        "png with a looping exif": (png_with(chunk(b"eXIf", looping_exif())), "png"),
        "png with a chunk of 2 GB": (png_with(b"\x7f\xff\xff\xfftEXt"), "png"),
        "jpeg that claims 65500 x 65500": (jpeg_sized(65500, 65500), "jpg"),
        "jpeg that claims no height": (jpeg_sized(100, 0), "jpg"),
        "jpeg with a profile of a thousand million tags": (
            jpeg_with(segment(0xE2, b"ICC_PROFILE\0\1\1" + icc_profile(60000))), "jpg"),
        "jpeg with 70 pieces of a profile": (jpeg_with(*[
            segment(0xE2, b"ICC_PROFILE\0" + bytes([i, 70]) + bytes(60000)) for i in range(1, 71)]), "jpg"),
        "jpeg with pieces of a profile that lie": (jpeg_with(*[
            segment(0xE2, b"ICC_PROFILE\0\xff\1" + bytes(60000))] * 60), "jpg"),
        "jpeg with a looping exif": (jpeg_with(segment(0xE1, exif(looping_exif()))), "jpg"),
        "jpeg with an exif of 4 GB texts": (jpeg_with(segment(0xE1, exif(huge_exif()))), "jpg"),
        "jpeg with 60 exifs": (jpeg_with(*[segment(0xE1, exif(huge_exif()))] * 60), "jpg"),
        "jpeg with 10000 comments": (jpeg_with(*[segment(0xFE, b"x" * 100)] * 10000), "jpg"),
        "jpeg of 500 scans": (progressive(500), "jpg"),
        "gif that claims 65535 x 65535": (gif_sized(65535, 65535), "gif"),
        "gif of 1000 frames of 1000 x 1000": (gif_frames(1000, 1000), "gif"),
        "gif with comments without end": (
            sound("gif")[:-1] + b"\x21\xfe" + (b"\xff" + b"x" * 255) * 8000, "gif"),
        "webp that claims 16777216 x 16777216": (
            webp_extended(1 << 24, 1 << 24, 0, (name, image)), "webp"),
        "webp of other sizes in its frame": (webp_extended(16383, 16383, 0, (name, image)), "webp"),
        "lossless webp that claims 16384 x 16384": (lossless_sized(16384, 16384), "webp"),
        "webp of 2000 frames of 1000 x 1000": (webp_frames(2000, 1000), "webp"),
        "webp with a profile of 4 MB": (
            webp_extended(64, 48, 0x20, (b"ICCP", icc_profile(4 << 20)), (name, image)), "webp"),
        "webp with a looping exif": (
            webp_extended(64, 48, 0x08, (name, image), (b"EXIF", looping_exif())), "webp"),
        "webp with a chunk of 4 GB": (sound("webp") + b"JUNK\xff\xff\xff\xff", "webp"),
    }
    for kind in ("BMP", "TIFF", "PPM", "ICO"):
        found[kind] = (pictures.drawn(kind=kind, seed=411), "")
    found["svg"] = (b'<svg xmlns="http://www.w3.org/2000/svg"><image href="http://127.0.0.1:1/"/></svg>', "")
    found["svg with an entity"] = (
        b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>', "")
    found["postscript"] = (b"%!PS-Adobe-3.0\n(/etc/passwd) (r) file\n", "")
    found["mvg"] = (b"push graphic-context\nimage over 0,0 0,0 'https://127.0.0.1/x'\n", "")
    return found


def mutated(data, dice):
    """Cut off, changed here and there, or with pieces moved, doubled and taken out."""
    data = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 5, 20))):
        at = dice.randrange(len(data))
        what = dice.randrange(6)
        if what == 0:
            data[at] ^= 1 << dice.randrange(8)
        elif what == 1:
            data[at:at + 4] = dice.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\1"))
        elif what == 2:
            data[at:at + dice.randrange(64)] = b""
        elif what == 3:
            data[at:at] = data[at:at + dice.randrange(64)]
        elif what == 4:
            data[at:at + 1] = dice.randbytes(dice.randrange(16))
        else:
            del data[max(20, at):]
        if len(data) < 20:
            break
    return bytes(data)

"""Photos and other files, made for a test: of any size, turned, with metadata, moving, broken, or far too large."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from io import BytesIO
from random import Random
from typing import Any

from PIL import Image
from pillow_heif import register_heif_opener

ORIENTATION, GPS, CAMERA = 0x0112, 0x8825, 0x0110
SECRET = "Camera of 12 Home Street"


def photo(
    kind: str = "JPEG",
    size: tuple[int, int] = (40, 30),
    *,
    mode: str = "RGB",
    orientation: int = 1,
    noisy: bool = False,
    **options: Any,
) -> bytes:
    """A photo whose left half is red, or which is `noisy`. Its metadata has the camera and, as that, a place."""
    register_heif_opener()
    if noisy:
        image = Image.frombytes(mode, size, Random(1).randbytes(size[0] * size[1] * len(mode)))
    else:
        image = Image.new("RGBA", size, (0, 0, 255, 0 if mode == "RGBA" else 255))
        image.paste((255, 0, 0, 255), (0, 0, size[0] // 2, size[1]))
        image = image if mode.endswith("A") else image.convert("RGB")
        image = image.convert(mode)
    exif = Image.Exif()
    exif[CAMERA], exif[ORIENTATION] = SECRET, orientation
    if kind in ("JPEG", "WEBP", "PNG", "HEIF", "AVIF"):
        options.setdefault("exif", exif)
    if kind == "JPEG":
        options["comment"] = SECRET
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def animation(kind: str, size: tuple[int, int], frames: int = 3) -> bytes:
    colors = ("red", "green", "blue")
    images = [Image.new("RGB", size, colors[number % 3]) for number in range(frames)]
    file = BytesIO()
    images[0].save(file, kind, save_all=True, append_images=images[1:])
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


@cache
def png_bomb(width: int, height: int) -> bytes:
    """A valid PNG of a few megabytes that unpacks to `width` by `height` bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(1)
    row = bytes(1 + width)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def gif_bomb(width: int, height: int, *, screen: tuple[int, int] | None = None) -> bytes:
    """A GIF whose first picture has that size, whatever its `screen` has."""
    left, right = screen or (width, height)
    head = b"GIF89a" + struct.pack("<HHBBB", left, right, 0x80, 0, 0) + bytes(6)
    return head + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x4c\x01\x00;"

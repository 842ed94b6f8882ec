"""A photo is shown unchanged, made smaller, turned upright, or refused unread; and its decoder is shut in."""

from __future__ import annotations

import platform
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from helpers.photos import CAMERA, GPS, ORIENTATION, SECRET, animation, gif_bomb, opened, photo, png_bomb
from PIL import Image, UnidentifiedImageError

from linq_mcp.tools.files import photo_process
from linq_mcp.tools.files.photo_process import (
    LARGEST,
    LONGEST_SIDE,
    MOST_PIXELS,
    MOST_SCANS,
    Conversion,
    Unusable,
    converted,
)

RED, BLUE = (254, 0, 0), (0, 0, 254)
START_OF_SCAN = b"\xff\xda"


def close(color: object, expected: tuple[int, int, int]) -> bool:
    assert isinstance(color, tuple)
    return all(abs(one - other) < 12 for one, other in zip(color[:3], expected, strict=True))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_a_small_photo_is_shown_as_it_is(kind: str) -> None:
    assert converted(photo(kind)) == (Conversion(width=40, height=30), b"")
    assert converted(photo(kind, (LONGEST_SIDE, 10))) == (Conversion(width=LONGEST_SIDE, height=10), b"")


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_a_small_animation_is_shown_as_it_is(kind: str) -> None:
    assert converted(animation(kind, (40, 30))) == (Conversion(width=40, height=30, animated=True), b"")


def test_of_a_large_animation_the_first_picture_is_shown() -> None:
    outcome, shown = converted(animation("GIF", (3000, 30)))
    assert (outcome.animated, opened(shown).format) == (True, "JPEG")
    assert close(opened(shown).getpixel((0, 0)), RED)


@pytest.mark.parametrize(
    ("kind", "mode", "shown_as"),
    [
        ("JPEG", "RGB", "JPEG"),
        ("JPEG", "CMYK", "JPEG"),
        ("PNG", "RGBA", "PNG"),
        ("PNG", "P", "JPEG"),
        ("GIF", "P", "JPEG"),
        ("WEBP", "RGBA", "PNG"),
        ("HEIF", "RGB", "JPEG"),
        ("AVIF", "RGBA", "PNG"),
    ],
)
def test_a_large_photo_is_made_smaller(kind: str, mode: str, shown_as: str) -> None:
    """A photo of any kind and mode gets 1,568 pixels on the longer side; transparency stays."""
    outcome, shown = converted(photo(kind, (3136, 64), mode=mode))
    assert (outcome.width, outcome.height) == (3136, 64)
    image = opened(shown)
    assert image.format == shown_as
    assert image.size == (outcome.shown_width, outcome.shown_height) == (1568, 32)
    assert len(shown) <= LARGEST


def test_a_photo_of_16_bits_keeps_its_shades() -> None:
    """A naive conversion would make nearly all of it white."""
    file = BytesIO()
    Image.new("I;16", (2000, 10), 0x8000).save(file, "PNG")
    assert close(opened(converted(file.getvalue())[1]).getpixel((5, 5)), (128, 128, 128))


@pytest.mark.parametrize("size", [(40, 30), (400, 300)])
@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_heic_and_avif_become_jpeg(kind: str, size: tuple[int, int]) -> None:
    """Models and clients know neither of the two, however small the photo is."""
    shown = opened(converted(photo(kind, size))[1])
    assert (shown.format, shown.size) == ("JPEG", size)


def test_a_photo_of_many_bytes_is_made_smaller() -> None:
    """Noise hardly compresses, and even that ends at the limit."""
    noisy, see_through = (
        photo("PNG", (1500, 700), mode=mode, noisy=True, compress_level=0) for mode in ("RGB", "RGBA")
    )
    assert len(noisy) > LARGEST
    for data in (noisy, see_through):
        shown = converted(data)[1]
        assert (opened(shown).format, len(shown) <= LARGEST) == ("JPEG", True)


@pytest.mark.parametrize(
    ("orientation", "red"),
    [(1, "left"), (2, "right"), (3, "right"), (4, "left"), (5, "top"), (6, "top"), (7, "bottom"), (8, "bottom")],
)
@pytest.mark.parametrize("size", [(40, 20), pytest.param((2000, 1000), marks=pytest.mark.slow)])
def test_a_photo_is_shown_upright(orientation: int, red: str, size: tuple[int, int]) -> None:
    """A model would see a landscape lying on its side otherwise."""
    outcome, shown = converted(photo("JPEG", size, orientation=orientation))
    image = opened(shown or photo("JPEG", size))
    turned = orientation > 4
    assert (outcome.width, outcome.height) == (size[::-1] if turned else size)
    assert (image.width < image.height) is turned
    right, bottom = image.width - 3, image.height - 3
    ends = {"left": (2, 2), "top": (2, 2), "right": (right, bottom), "bottom": (right, bottom)}
    assert close(image.getpixel(ends[red]), RED)
    assert image.getexif().get(ORIENTATION, 1) == 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF"])
def test_a_new_photo_has_no_metadata(kind: str) -> None:
    """It doesn't say where, when, and with which camera the old one was taken."""
    taken = photo(kind, (2000, 100))
    assert SECRET in str(opened(taken).getexif().get(CAMERA))
    shown = converted(taken)[1]
    assert SECRET.encode() not in shown
    assert dict(opened(shown).getexif()) == {}
    assert GPS not in opened(shown).getexif()


@pytest.mark.parametrize(
    "made",
    [
        lambda: png_bomb(50_000, 1_001),
        lambda: gif_bomb(50_000, 50_000),
        lambda: gif_bomb(50_000, 50_000, screen=(10, 10)),
    ],
    ids=["PNG", "GIF", "GIF with a small screen"],
)
def test_a_bomb_is_refused_by_its_header(made: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image.Image, "load", None)
    outcome, shown = converted(made())
    assert (outcome.unusable, shown) == (Unusable.TOO_MANY_PIXELS, b"")
    assert outcome.width * outcome.height > MOST_PIXELS


def progressive(scans: int, junk: bytes = b"") -> bytes:
    """A progressive JPEG with so many scans, and `junk` in a segment of its own."""
    jpeg = photo("JPEG", progressive=True)
    last = jpeg[jpeg.rfind(START_OF_SCAN) : -2]
    more = last * (scans - jpeg.count(START_OF_SCAN))
    return jpeg[:2] + b"\xff\xed" + (2 + len(junk)).to_bytes(2) + junk + jpeg[2:-2] + more + jpeg[-2:]


def test_a_jpeg_of_too_many_scans_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each scan makes the decoder go over all pixels, so that a small file can keep it busy for minutes."""
    monkeypatch.setattr(Image, "open", None)
    assert converted(progressive(MOST_SCANS + 1)) == (Conversion(unusable=Unusable.TOO_MANY_SCANS), b"")


@pytest.mark.parametrize("junk", [b"", START_OF_SCAN * 1000])
def test_only_scans_are_counted(junk: bytes) -> None:
    """Metadata may hold the bytes of a marker, as may what follows the photo: phones append a film there."""
    photo = progressive(MOST_SCANS, junk) + START_OF_SCAN * 1000
    assert converted(photo) == (Conversion(width=40, height=30), b"")


@pytest.mark.parametrize("size", [(40, 30), (3000, 2000)])
def test_a_photo_in_hdr_is_no_animation(size: tuple[int, int]) -> None:
    """Phones put a second picture into its file, with the brightness of the first."""
    file = BytesIO()
    Image.new("RGB", size).save(file, "MPO", save_all=True, append_images=[Image.new("RGB", (60, 40))])
    assert not converted(file.getvalue())[0].animated


def png_with(name: bytes, data: bytes) -> bytes:
    """A PNG with a further chunk."""
    png = photo("PNG")
    at = png.index(b"IDAT") - 4
    chunk = struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return png[:at] + chunk + png[at:]


@pytest.mark.parametrize(
    "data",
    [
        png_with(b"eXIf", b"garbage"),
        png_with(b"eXIf", b"II*\0\xff\xff\xff\xff"),
        png_with(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n      10\nzz\n")),
        photo("JPEG", exif=b"Exif\0\0garbage"),
        photo("JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x02\x01\x12\0\x03"),
        photo("WEBP", exif=b"garbage"),
    ],
    ids=["PNG", "PNG without a directory", "PNG by ImageMagick", "JPEG", "JPEG with half a directory", "WebP"],
)
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_photo_with_broken_metadata_is_shown(data: bytes) -> None:
    outcome, shown = converted(data)
    assert (outcome.width, outcome.height) == opened(shown or data).size == (40, 30)


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
@pytest.mark.parametrize("missing", [1, 2, 700])
def test_of_a_jpeg_that_was_cut_off_there_is_what_arrived(missing: int, options: dict[str, Any]) -> None:
    outcome, shown = converted(photo("JPEG", noisy=True, **options)[:-missing])
    assert (outcome.cut_off, outcome.width, outcome.height) == (True, 40, 30)
    assert opened(shown).size == (40, 30)


@pytest.mark.parametrize(
    ("kind", "cuts"), [("JPEG", (20, 300)), *((kind, (20, -99)) for kind in ("PNG", "GIF", "WEBP", "HEIF", "AVIF"))]
)
def test_a_broken_photo_raises(kind: str, cuts: Sequence[int]) -> None:
    """Nothing half-decoded is shown of others, and of a JPEG nothing that ends in its header."""
    data = photo(kind, (200, 150), noisy=kind != "GIF")
    for cut in cuts:
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the libraries raise ends the process
            converted(data[:cut])


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "ICO", "PPM"])
def test_no_other_format_is_tried(kind: str) -> None:
    with pytest.raises(UnidentifiedImageError):
        converted(photo(kind))


def test_it_imports_nothing_of_the_package() -> None:
    """The package would take longer to import than most photos to decode."""
    code = f"import runpy, sys; sys.argv=['x']; runpy.run_path({photo_process.__file__!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert [name for name in done.stdout.split() if name.startswith("linq_mcp")] == []
    assert Path(photo_process.__file__).name == "photo_process.py"


# The walls around the process


TRIES = f"""
import ctypes, importlib.util, os, resource, socket, sys, threading
spec = importlib.util.spec_from_file_location("decoder", {photo_process.__file__!r})
decoder = importlib.util.module_from_spec(spec)
sys.modules["decoder"] = decoder
spec.loader.exec_module(decoder)
server = os.getppid()
def peek():
    if ctypes.CDLL(None, use_errno=True).process_vm_readv(server, 0, 0, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "refused")
tries = {{
    "file": lambda: open("/proc/self/status"),
    "environment": lambda: open(f"/proc/{{server}}/environ"),
    "connection": lambda: socket.socket(),
    "process": lambda: os.fork() or os._exit(0),
    "program": lambda: os.execv("/bin/true", ["true"]),
    "signal": lambda: os.kill(server, 0),
    "memory": peek,
}}
if "without seccomp" in sys.argv:
    decoder._MACHINES.clear()
    del tries["program"]
decoder.confine()
for name, attempt in tries.items():
    try:
        attempt()
    except OSError:
        continue
    print(name)
thread = threading.Thread(target=lambda: None)
thread.start()
thread.join()
try:
    bytearray(decoder._MOST_MEMORY)
    print("gigabytes")
except MemoryError:
    pass
if "without seccomp" in sys.argv:
    print(*resource.getrlimit(resource.RLIMIT_CPU), "seconds")
print("the end")
"""


def tried(*arguments: str) -> list[str]:
    """What a process could do behind the walls."""
    done = subprocess.run([sys.executable, "-c", TRIES, *arguments], capture_output=True, text=True, check=False)
    assert done.stdout.endswith("the end\n"), done.stderr
    return done.stdout.split("\n")[:-2]


def test_the_walls_stand_before_a_photo_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries are loaded before, because nothing can be opened afterwards."""
    steps: list[str] = []

    def step(name: str, result: object) -> Callable[..., object]:
        def record(*_: object) -> object:
            steps.append(name)
            return result

        return record

    monkeypatch.setattr(photo_process, "load_libraries", step("load", result=True))
    monkeypatch.setattr(photo_process, "confine", step("confine", None))
    monkeypatch.setattr(photo_process, "converted", step("convert", (Conversion(), b"")))
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"a photo")))
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(BytesIO()))
    photo_process.main()
    assert steps == ["load", "confine", "convert"]


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in photo_process._MACHINES, reason="needs seccomp"
)
def test_who_breaks_the_decoder_can_do_nothing() -> None:
    """Files, connections, programs, and other processes are out of reach; memory is limited, and threads can start."""
    assert tried() == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_without_seccomp_nothing_can_be_opened() -> None:
    """The limits on open files, memory, and CPU time hold on every system but Windows."""
    could = set(tried("without seccomp"))
    assert "5 5 seconds" in could
    assert not {"file", "environment", "connection", "gigabytes"} & could

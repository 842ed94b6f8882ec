"""Turns a photo into one that a model can be shown: `python photo_process.py < photo`.

Photos come from strangers, and large C libraries decode them, so they do it in a process of its own, which `confine`
shuts in. Imports nothing of the package. Needs Pillow, and pillow-heif for HEIC. The output is one line, a `Conversion`
as JSON, and then the new photo, if there is one.
"""

from __future__ import annotations

import json
import platform
import re
import struct
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

LONGEST_SIDE = 1568
# As base64, with the rest of the answer, this stays below 1 MiB, which is all that some clients take.
LARGEST = 780_000
# Just above the 48 megapixels of the largest photos that phones take by default.
MOST_PIXELS = 50_000_000
# Encoders write about ten scans for a progressive JPEG; each one makes the decoder go over all pixels.
MOST_SCANS = 100
_ORIENTATION = 0x0112
_MOST_MEMORY = 768 * 2**20
_MOST_CPU_SECONDS = 5
_QUALITIES = (85, 70, 50, 30)
# Pillow's parsers of EXIF raise all of these for broken metadata.
_BROKEN_EXIF = (SyntaxError, ValueError, TypeError, KeyError, IndexError, OSError, struct.error)
# A marker of JPEG, apart from those within a scan's data.
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]", re.DOTALL)
_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"


class Unusable(StrEnum):
    """Why a photo was not decoded."""

    NO_LIBRARY = "no library"
    TOO_MANY_PIXELS = "too many pixels"
    TOO_MANY_SCANS = "too many scans"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """The result for a photo. Sizes are in pixels, of the photo as it is held upright.

    `animated` means that it has several pictures, of which a new photo has the first, `cut_off` that the file ended
    before the photo did. Without a new photo, its size is 0.
    """

    unusable: Unusable | None = None
    width: int = 0
    height: int = 0
    animated: bool = False
    cut_off: bool = False
    shown_width: int = 0
    shown_height: int = 0

    @classmethod
    def from_json(cls, line: bytes) -> Conversion:
        """Raises ValueError or TypeError for anything else: the photo may have taken over the decoder."""
        members = dict(json.loads(line))
        unusable = members.pop("unusable", None)
        if not all(isinstance(value, int) for value in members.values()):
            raise TypeError("sizes are numbers")
        return cls(unusable=Unusable(unusable) if unusable else None, **members)


def load_libraries(photo: bytes) -> bool:
    """Import all that decoding `photo` takes, as nothing can be imported later. False if a library is missing."""
    try:
        # Pillow would import these while it decodes.
        from PIL import AvifImagePlugin, Image, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin  # noqa: F401, PLC0415

        Image.preinit()
        AvifImagePlugin.DEFAULT_MAX_THREADS = 1
        if _formats(photo) == ["HEIF"]:
            import pillow_heif  # noqa: PLC0415 - as above

            pillow_heif.register_heif_opener(thumbnails=False)
    except ImportError:
        return False
    return True


def converted(photo: bytes) -> tuple[Conversion, bytes]:
    """The outcome for `photo`, and a new one without metadata where the old one can't be shown. Broken ones raise."""
    if photo.startswith(b"\xff\xd8") and _scans(photo) > MOST_SCANS:
        return Conversion(unusable=Unusable.TOO_MANY_SCANS), b""
    with _opened(photo) as undecoded:
        width, height = undecoded.size
        if width * height > MOST_PIXELS:
            return Conversion(unusable=Unusable.TOO_MANY_PIXELS, width=width, height=height), b""
        image, cut_off = _loaded(undecoded, photo)
        # The second picture of an MPO, which is what phones make of HDR, holds the brightness of the first.
        animated = image.format != "MPO" and bool(getattr(image, "is_animated", False))
        orientation = _orientation(image)
        if orientation in (5, 6, 7, 8):
            width, height = height, width
        is_sound = orientation == 1 and not cut_off
        is_small = max(width, height) <= LONGEST_SIDE and len(photo) <= LARGEST
        if is_sound and is_small and image.format not in ("HEIF", "AVIF"):
            return Conversion(width=width, height=height, animated=animated), b""
        shown = _encoded(_scaled(image, orientation))
    with _opened(shown) as smaller:
        shown_width, shown_height = smaller.size
    outcome = Conversion(
        width=width,
        height=height,
        animated=animated,
        cut_off=cut_off,
        shown_width=shown_width,
        shown_height=shown_height,
    )
    return outcome, shown


def _scans(jpeg: bytes) -> int:
    """How many scans the decoder would go through."""
    scans, at = 0, 2
    while (found := _MARKER.search(jpeg, at)) and found[0] != _END_OF_IMAGE:
        scans += found[0] == _START_OF_SCAN
        if scans > MOST_SCANS:
            break
        at = found.end() + int.from_bytes(jpeg[found.end() : found.end() + 2])
    return scans


def _formats(photo: bytes) -> list[str]:
    """What Pillow may take `photo` for."""
    if photo[4:8] != b"ftyp":
        return ["JPEG", "PNG", "GIF", "WEBP"]
    brands = photo[8 : min(int.from_bytes(photo[:4]), 256)]
    return ["AVIF"] if b"avif" in brands or b"avis" in brands else ["HEIF"]


def _opened(photo: bytes) -> Image.Image:
    from PIL import Image  # noqa: PLC0415 - an extra, which may be missing

    # Pillow would warn at a limit of its own; that of this module is checked before anything is decoded.
    Image.MAX_IMAGE_PIXELS = None
    return Image.open(BytesIO(photo), formats=_formats(photo))


def _loaded(image: Image.Image, photo: bytes) -> tuple[Image.Image, bool]:
    """The decoded `image`, and whether its file was cut off. Of a JPEG that was, there is as much as the file has."""
    # Decodes a JPEG at a fraction of its size, which takes a fraction of the memory.
    image.draft(None, (LONGEST_SIDE, LONGEST_SIDE))
    try:
        image.load()
    except OSError:
        if image.format not in ("JPEG", "MPO") or photo.endswith(_END_OF_IMAGE):
            raise
        ended = photo + _END_OF_IMAGE
        return _loaded(_opened(ended), ended)[0], True
    return image, False


def _orientation(image: Image.Image) -> int:
    """How the camera was held, as EXIF numbers it; 0 if the metadata is broken."""
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except _BROKEN_EXIF:
        return 0
    return orientation if orientation in range(1, 9) else 1


def _scaled(image: Image.Image, orientation: int) -> Image.Image:
    """`image` upright, in 8 bits a channel, with at most `LONGEST_SIDE` pixels on each side."""
    from PIL import Image  # noqa: PLC0415 - as above

    if image.mode.startswith("I"):
        image = image.point(lambda value: value / 256).convert("L")
    mode = "RGBA" if image.has_transparency_data else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(orientation)
    return image if turn is None else image.transpose(turn)


def _encoded(image: Image.Image) -> bytes:
    """`image` in at most `LARGEST` bytes: as PNG where it is transparent and that is small enough, or else as JPEG."""
    from PIL import Image  # noqa: PLC0415 - as above

    # Drop the metadata: place, time, and camera.
    image.info = {}
    if image.mode == "RGBA":
        png = BytesIO()
        image.save(png, "PNG")
        if len(png.getvalue()) <= LARGEST:
            return png.getvalue()
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    for quality in _QUALITIES:
        jpeg = BytesIO()
        image.save(jpeg, "JPEG", quality=quality)
        if len(jpeg.getvalue()) <= LARGEST:
            break
    return jpeg.getvalue()


def confine() -> None:
    """Put up the walls around this process, as far as the system has them; none can be taken down again.

    It may use so much memory and CPU time, open no file and no connection, and leaves no dump of its memory. On Linux,
    the kernel also refuses every call but the few that decoding takes (seccomp), such as starting a program, signalling
    or reading another process.
    """
    with suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 - not on Windows

        for limit, most in (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_NOFILE, 0),
            (resource.RLIMIT_CPU, _MOST_CPU_SECONDS),
            (resource.RLIMIT_DATA, _MOST_MEMORY),
        ):
            resource.setrlimit(limit, (most, most))
    if sys.platform == "linux":
        with suppress(ImportError, OSError):
            _filter_system_calls()


# Processors: their number in audit records, and which of the numbers below are theirs.
_MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_CLONE, _CLONE3 = (56, 220), (435, 435)
_ALLOWED_CALLS = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "getpid": (39, 172),
    "exit": (60, 93),
    "gettid": (186, 178),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "set_tid_address": (218, 96),
    "clock_gettime": (228, 113),
    "exit_group": (231, 94),
    "set_robust_list": (273, 99),
    "getrandom": (318, 278),
    "rseq": (334, 293),
}
_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 4, 22, 38
_SECCOMP_MODE_FILTER = 2
_ALLOW, _REFUSE, _NOT_THERE = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38  # EPERM, ENOSYS
_CLONE_THREAD = 0x00010000
_LOAD, _IF_EQUAL, _IF_SET, _RETURN = 0x20, 0x15, 0x45, 0x06


def _filter_system_calls() -> None:
    """Refuse all system calls but `_ALLOWED_CALLS`. Linux: seccomp(2)."""
    import ctypes  # noqa: PLC0415 - only here

    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if (machine := _MACHINES.get(platform.machine())) is None:
        return
    program = _filter(*machine)
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions, and where they are.
    description = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))
    prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(description), 0, 0)


def _filter(audit_number: int, column: int) -> bytes:
    """The program that the kernel runs for each call: instructions, with the steps to skip if they hold and if not.

    It lets `clone` start threads, but no processes. `clone3` can't be judged, and libraries can do without it.
    """
    number, architecture, flags = 0, 4, 16
    allowed = [numbers[column] for numbers in _ALLOWED_CALLS.values()]
    steps = [
        (_LOAD, 0, 0, architecture),
        # By another architecture's numbers, such as those of 32 bits, the calls would be others.
        (_IF_EQUAL, 1, 0, audit_number),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, number),
        (_IF_EQUAL, len(allowed) + 2, 0, _CLONE3[column]),
        (_IF_EQUAL, len(allowed) + 2, 0, _CLONE[column]),
        *((_IF_EQUAL, len(allowed) + 3 - at, 0, call) for at, call in enumerate(allowed)),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _NOT_THERE),
        (_LOAD, 0, 0, flags),
        (_IF_SET, 0, 1, _CLONE_THREAD),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def main() -> None:
    photo = sys.stdin.buffer.read()
    if load_libraries(photo):
        confine()
        outcome, shown = converted(photo)
    else:
        outcome, shown = Conversion(unusable=Unusable.NO_LIBRARY), b""
    sys.stdout.buffer.write(json.dumps(asdict(outcome)).encode() + b"\n" + shown)


if __name__ == "__main__":
    main()

"""Turns a photo into one that a model can be shown: `python photo_process.py < photo`.

Photos come from strangers, and large C libraries decode them. In a process of its own, whose memory and time are
limited and whose environment has no key, they can do no harm to the server. Imports nothing of the package. Needs
Pillow, and pillow-heif for HEIC. What it writes is one line, an `Outcome` as JSON, and then the new photo, if any.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

LONGEST_SIDE = 1568
LARGEST = 1_000_000
# Just above the 48 megapixels of the largest photos that phones take by default.
MOST_PIXELS = 50_000_000
_ORIENTATION = 0x0112
_MOST_MEMORY = 768 * 2**20
_MOST_SECONDS = 20
_QUALITIES = (85, 70, 50, 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a photo. Sizes are in pixels, of the photo as it is held upright.

    `unusable` is why it can't be shown: `no library`, or `too many pixels`. `shown_as` is the type of the new photo; it
    is "" where the old one will do as it is. `animated` says that it moves.
    """

    unusable: str = ""
    width: int = 0
    height: int = 0
    animated: bool = False
    shown_as: str = ""
    shown_width: int = 0
    shown_height: int = 0


def converted(photo: bytes) -> tuple[Outcome, bytes]:
    """What becomes of `photo`, and the new one, without metadata, if the old one won't do. Broken ones raise."""
    try:
        opened = _opened(photo)
    except ImportError:
        return Outcome(unusable="no library"), b""
    with opened as image:
        width, height = image.size
        if width * height > MOST_PIXELS:
            return Outcome(unusable="too many pixels", width=width, height=height), b""
        # Decodes a JPEG at a fraction of its size, which takes a fraction of the memory.
        image.draft(None, (LONGEST_SIDE, LONGEST_SIDE))
        image.load()
        animated = bool(getattr(image, "is_animated", False))
        orientation = image.getexif().get(_ORIENTATION, 1)
        if orientation in (5, 6, 7, 8):
            width, height = height, width
        if image.format != "HEIF" and orientation == 1 and max(width, height) <= LONGEST_SIDE and len(photo) <= LARGEST:
            return Outcome(width=width, height=height, animated=animated), b""
        shown, mime_type = _encoded(_scaled(image))
    with _opened(shown) as smaller:
        shown_width, shown_height = smaller.size
    outcome = Outcome(
        width=width,
        height=height,
        animated=animated,
        shown_as=mime_type,
        shown_width=shown_width,
        shown_height=shown_height,
    )
    return outcome, shown


def _opened(photo: bytes) -> Image.Image:
    from PIL import Image  # noqa: PLC0415 - an extra, which may be missing

    # Pillow would warn at a limit of its own; that of this module is checked before anything is decoded.
    Image.MAX_IMAGE_PIXELS = None
    formats = ["JPEG", "PNG", "GIF", "WEBP"]
    if photo[4:8] == b"ftyp":
        from pillow_heif import register_heif_opener  # noqa: PLC0415 - as above

        register_heif_opener(thumbnails=False)
        formats = ["HEIF"]
    return Image.open(BytesIO(photo), formats=formats)


def _scaled(image: Image.Image) -> Image.Image:
    """`image` upright, in 8 bits a channel, with at most `LONGEST_SIDE` pixels on each side."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - as above

    if image.mode.startswith("I"):
        image = image.point(lambda value: value / 256).convert("L")
    mode = "RGBA" if image.has_transparency_data else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return ImageOps.exif_transpose(image)


def _encoded(image: Image.Image) -> tuple[bytes, str]:
    """`image` in at most `LARGEST` bytes, and its type: PNG where it is transparent and small enough, or else JPEG."""
    from PIL import Image  # noqa: PLC0415 - as above

    # Where it was taken, when, and with what is nobody's business.
    image.info = {}
    if image.mode == "RGBA":
        png = BytesIO()
        image.save(png, "PNG")
        if len(png.getvalue()) <= LARGEST:
            return png.getvalue(), "image/png"
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    for quality in _QUALITIES:
        jpeg = BytesIO()
        image.save(jpeg, "JPEG", quality=quality)
        if len(jpeg.getvalue()) <= LARGEST:
            break
    return jpeg.getvalue(), "image/jpeg"


def _limit_resources() -> None:
    """Limit this process, as far as the system can: memory, time, and no dump of either."""
    with suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 - not on Windows

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (_MOST_SECONDS, _MOST_SECONDS))
        resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, _MOST_MEMORY))


def main() -> None:
    _limit_resources()
    outcome, photo = converted(sys.stdin.buffer.read())
    sys.stdout.buffer.write(json.dumps(asdict(outcome)).encode() + b"\n" + photo)


if __name__ == "__main__":
    main()

"""What becomes of a photo: shown as it is, made smaller, turned upright, or refused before it is decoded."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from helpers.photos import CAMERA, GPS, ORIENTATION, SECRET, animation, gif_bomb, opened, photo, png_bomb
from PIL import Image, UnidentifiedImageError

from linq_mcp.tools.files import photo_process
from linq_mcp.tools.files.photo_process import LARGEST, LONGEST_SIDE, MOST_PIXELS, Outcome, converted

RED, BLUE = (254, 0, 0), (0, 0, 254)


def close(color: object, expected: tuple[int, int, int]) -> bool:
    assert isinstance(color, tuple)
    return all(abs(one - other) < 12 for one, other in zip(color[:3], expected, strict=True))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_a_small_photo_is_shown_as_it_is(kind: str) -> None:
    """To the byte; its size is known."""
    assert converted(photo(kind)) == (Outcome(width=40, height=30), b"")
    assert converted(photo(kind, (LONGEST_SIDE, 10))) == (Outcome(width=LONGEST_SIDE, height=10), b"")


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_a_small_animation_is_shown_as_it_is(kind: str) -> None:
    """It still moves then."""
    assert converted(animation(kind, (40, 30))) == (Outcome(width=40, height=30, animated=True), b"")


def test_of_a_large_animation_the_first_picture_is_shown() -> None:
    """And that it is one is known."""
    outcome, shown = converted(animation("GIF", (3000, 30)))
    assert (outcome.animated, outcome.shown_as) == (True, "image/jpeg")
    assert close(opened(shown).getpixel((0, 0)), RED)


@pytest.mark.parametrize(
    ("kind", "mode", "shown_as"),
    [
        ("JPEG", "RGB", "image/jpeg"),
        ("JPEG", "L", "image/jpeg"),
        ("JPEG", "CMYK", "image/jpeg"),
        ("PNG", "RGB", "image/jpeg"),
        ("PNG", "RGBA", "image/png"),
        ("PNG", "P", "image/jpeg"),
        ("PNG", "1", "image/jpeg"),
        ("PNG", "LA", "image/png"),
        ("GIF", "P", "image/jpeg"),
        ("WEBP", "RGB", "image/jpeg"),
        ("WEBP", "RGBA", "image/png"),
        ("HEIF", "RGB", "image/jpeg"),
        ("HEIF", "RGBA", "image/png"),
    ],
)
def test_a_large_photo_is_made_smaller(kind: str, mode: str, shown_as: str) -> None:
    """Of any kind and mode, to 1,568 pixels on the longer side; what is transparent stays so."""
    outcome, shown = converted(photo(kind, (3136, 200), mode=mode))
    assert (outcome.width, outcome.height, outcome.shown_as) == (3136, 200, shown_as)
    image = opened(shown)
    assert Image.MIME[image.format or ""] == shown_as
    assert image.size == (outcome.shown_width, outcome.shown_height) == (1568, 100)
    assert len(shown) <= LARGEST


def test_a_photo_of_16_bits_keeps_its_shades() -> None:
    """A naive conversion would make nearly all of it white."""
    file = BytesIO()
    Image.new("I;16", (2000, 10), 0x8000).save(file, "PNG")
    assert close(opened(converted(file.getvalue())[1]).getpixel((5, 5)), (128, 128, 128))


@pytest.mark.parametrize("size", [(40, 30), (400, 300)])
def test_heic_becomes_jpeg(size: tuple[int, int]) -> None:
    """Small as it may be: models and clients don't know HEIC."""
    outcome, shown = converted(photo("HEIF", size))
    assert (outcome.shown_as, opened(shown).format) == ("image/jpeg", "JPEG")
    assert opened(shown).size == size


def test_a_photo_of_many_bytes_is_made_smaller() -> None:
    """Noise hardly compresses; even that ends at 1 MB."""
    noisy = photo("PNG", (1500, 700), mode="RGB", noisy=True)
    assert len(noisy) > LARGEST
    for data in (noisy, photo("PNG", (1500, 700), mode="RGBA", noisy=True)):
        outcome, shown = converted(data)
        assert (outcome.shown_as, len(shown) <= LARGEST) == ("image/jpeg", True)


@pytest.mark.parametrize(
    ("orientation", "red"),
    [(1, "left"), (2, "right"), (3, "right"), (4, "left"), (5, "top"), (6, "top"), (7, "bottom"), (8, "bottom")],
)
@pytest.mark.parametrize("size", [(40, 20), (2000, 1000)])
def test_a_photo_is_shown_upright(orientation: int, red: str, size: tuple[int, int]) -> None:
    """As the camera was held: a model would see a landscape lying on its side."""
    outcome, shown = converted(photo("JPEG", size, orientation=orientation))
    image = opened(shown or photo("JPEG", size))
    turned = orientation > 4
    assert (outcome.width, outcome.height) == (size[::-1] if turned else size)
    assert (image.width < image.height) is turned
    right, bottom = image.width - 3, image.height - 3
    ends = {"left": (2, 2), "top": (2, 2), "right": (right, bottom), "bottom": (right, bottom)}
    assert close(image.getpixel(ends[red]), RED)
    assert image.getexif().get(ORIENTATION, 1) == 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_what_is_encoded_anew_has_no_metadata(kind: str) -> None:
    """Neither where it was taken, nor when, nor with what."""
    taken = photo(kind, (2000, 100))
    assert SECRET in str(opened(taken).getexif().get(CAMERA))
    shown = converted(taken)[1]
    assert SECRET.encode() not in shown
    assert dict(opened(shown).getexif()) == {}
    assert GPS not in opened(shown).getexif()


@pytest.mark.parametrize(
    "data",
    [
        png_bomb(50_000, 1_001),
        gif_bomb(50_000, 50_000),
        gif_bomb(50_000, 50_000, screen=(10, 10)),
    ],
    ids=["PNG", "GIF", "GIF with a small screen"],
)
def test_a_bomb_is_refused_by_its_header(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is decoded."""
    monkeypatch.setattr(Image.Image, "load", None)
    outcome, shown = converted(data)
    assert (outcome.unusable, shown) == ("too many pixels", b"")
    assert outcome.width * outcome.height > MOST_PIXELS


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "HEIF"])
def test_a_broken_photo_raises(kind: str) -> None:
    """Also one that is only cut off: nothing half-decoded is shown."""
    data = photo(kind, (200, 150), noisy=kind != "GIF")
    for broken in (data[: len(data) // 2], data[:20]):
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the libraries raise ends the process
            converted(broken)


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "ICO", "PPM"])
def test_no_other_format_is_tried(kind: str) -> None:
    """Pillow has decoders for dozens, and each is one more that strangers could break."""
    with pytest.raises(UnidentifiedImageError):
        converted(photo(kind))


def test_it_imports_nothing_of_the_package() -> None:
    """Its process has to start fast."""
    code = f"import runpy, sys; sys.argv=['x']; runpy.run_path({photo_process.__file__!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert [name for name in done.stdout.split() if name.startswith("linq_mcp")] == []
    assert Path(photo_process.__file__).name == "photo_process.py"

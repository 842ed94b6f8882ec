#!/usr/bin/env python3
"""Draw the photos of the demo account, and make its other files: `python docs/images/draw_demo_files.py`.

Everything is made here, so that nobody's photo, voice or address is in the repository. Needs pillow, pillow-heif and
av, which encodes the voice memo. The files are small: the demo account ships with the package.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import av
from PIL import Image, ImageDraw
from pillow_heif import register_heif_opener

FILES = Path(__file__).parents[2] / "linq_mcp" / "demo" / "files"
# Scenes are drawn on a sheet of this size, whatever the size of the photo.
WIDTH, HEIGHT = 800, 600
Point = tuple[float, float]


class Scene:
    """A sheet to draw on, in one light from above."""

    def __init__(self, background: str, floor: str | None = None, horizon: float = 400) -> None:
        self.image = Image.new("RGB", (2 * WIDTH, 2 * HEIGHT), background)
        self._draw = ImageDraw.Draw(self.image)
        if floor:
            self.box(0, horizon, WIDTH, HEIGHT, floor)

    def box(self, left: float, top: float, right: float, bottom: float, fill: str, *, round_: float = 0) -> None:
        self._draw.rounded_rectangle([2 * left, 2 * top, 2 * right, 2 * bottom], 2 * round_, fill)

    def disc(self, x: float, y: float, width: float, height: float, fill: str) -> None:
        self._draw.ellipse([2 * x - width, 2 * y - height, 2 * x + width, 2 * y + height], fill)

    def shape(self, points: Sequence[Point], fill: str) -> None:
        self._draw.polygon([(2 * x, 2 * y) for x, y in points], fill)

    def line(self, points: Sequence[Point], fill: str, width: float) -> None:
        self._draw.line([(2 * x, 2 * y) for x, y in points], fill, round(2 * width), joint="curve")

    def words(self, x: float, y: float, text: str, fill: str, size: float) -> None:
        self._draw.text((2 * x, 2 * y), text, fill, font_size=2 * size, anchor="mm")


def arm(sore: str) -> Scene:
    scene = Scene("#c9d4d8", "#8fa3ab", 430)
    scene.line([(60, 540), (420, 330), (640, 250)], "#d9a07a", 120)
    scene.line([(600, 262), (740, 215)], "#d9a07a", 84)
    for number in range(14):
        scene.disc(300 + 19 * (number % 5), 350 + 21 * (number // 5) - 9 * (number % 5), 20, 15, sore)
    return scene


def wrist() -> Scene:
    scene = Scene("#dfe5e3", "#b7c4bf", 470)
    scene.line([(90, 500), (380, 350)], "#e0b08c", 110)
    scene.disc(400, 335, 190, 165, "#d98f79")
    scene.disc(410, 325, 100, 80, "#b86a75")
    scene.line([(430, 320), (600, 240)], "#e0b08c", 120)
    for number in range(4):
        scene.line([(590, 220 + 22 * number), (720, 150 + 36 * number)], "#e0b08c", 26)
    return scene


def knee() -> Scene:
    scene = Scene("#ccd9e4", "#7f9db5", 480)
    scene.line([(0, 330), (400, 250), (560, 600)], "#c98f69", 150)
    scene.disc(405, 265, 190, 180, "#d29d78")
    scene.box(330, 240, 480, 290, "#f1dcc0", round_=20)
    scene.box(378, 246, 432, 284, "#e6c9a5")
    return scene


def pie() -> Scene:
    scene = Scene("#8f6b4a", "#7c5a3c", 0)
    for number in range(1, 6):
        scene.line([(0, 120 * number - 20), (WIDTH, 120 * number - 60)], "#6b4c31", 4)
    scene.disc(400, 310, 560, 500, "#dcdfe2")
    scene.disc(400, 305, 490, 430, "#c8843c")
    scene.disc(400, 300, 430, 370, "#a82f3b")
    for number in range(-3, 4):
        scene.line([(400 + 62 * number - 90, 115), (400 + 62 * number + 60, 485)], "#e0aa5c", 22)
        scene.line([(190, 300 + 52 * number - 40), (610, 300 + 52 * number + 30)], "#d79b4c", 20)
    scene.line([(250, 450), (180, 560)], "#b9bec4", 22)
    return scene


def tiles() -> Scene:
    scene = Scene("#f3f1ea")
    for row in range(7):
        for column in range(9):
            left, top = 95 * column - 47 * (row % 2), 70 * row
            scene.box(left + 3, top + 3, left + 92, top + 67, ("#3f7f86", "#4b8f93", "#5aa0a0")[(row + 2 * column) % 3])
    scene.box(0, 490, WIDTH, HEIGHT, "#d8cdb8")
    scene.box(520, 380, 640, 500, "#c7483b", round_=14)
    scene.disc(580, 380, 120, 36, "#8f2f27")
    return scene


def waiting_room() -> Scene:
    scene = Scene("#e9e1d0", "#b78d62", 430)
    scene.box(70, 80, 300, 300, "#bfe0f2")
    scene.line([(185, 80), (185, 300)], "#ffffff", 8)
    for number in range(4):
        left = 110 + 165 * number
        scene.box(left, 340, left + 130, 420, "#3d6f8e", round_=16)
        scene.box(left, 415, left + 130, 450, "#2f5872", round_=10)
        scene.box(left + 10, 450, left + 20, 510, "#4a4a4a")
        scene.box(left + 110, 450, left + 120, 510, "#4a4a4a")
    scene.box(620, 180, 690, 290, "#c76b4a", round_=8)
    for number in range(7):
        scene.line([(655, 190), (595 + 20 * number, 80 + 10 * abs(number - 3))], "#4f8a4b", 12)
    return scene


def dog() -> Scene:
    scene = Scene("#d8cbb8", "#a9744f", 420)
    scene.disc(400, 480, 620, 180, "#7f93a8")
    scene.disc(400, 410, 420, 230, "#c8964f")
    scene.disc(230, 360, 180, 170, "#d3a35c")
    scene.disc(165, 360, 60, 130, "#9c6c30")
    scene.disc(295, 350, 60, 130, "#9c6c30")
    scene.disc(228, 400, 80, 62, "#ead2a6")
    scene.disc(228, 385, 34, 24, "#2b2420")
    scene.line([(190, 350), (212, 354)], "#2b2420", 6)
    scene.line([(246, 354), (268, 350)], "#2b2420", 6)
    scene.line([(590, 400), (680, 350), (700, 300)], "#c8964f", 28)
    return scene


def coats() -> Scene:
    scene = Scene("#e8dcc0", "#c58b4e", 330)
    scene.box(0, 60, WIDTH, 70, "#a33b32")
    random = Random("coats")  # noqa: S311 - a drawing
    for number in range(11):
        left, color = 20 + 70 * number, random.choice(["#284b63", "#7a9e7e", "#c44536", "#e0a458", "#5b507a"])
        scene.shape([(left, 430), (left + 14, 250), (left + 50, 250), (left + 64, 430)], color)
        scene.line([(left + 32, 250), (left + 32, 430)], "#f3ead8", 3)
    for number in range(5):
        scene.box(40 + 150 * number, 470, 170 + 150 * number, 570, "#b98a55")
        scene.line([(40 + 150 * number, 520), (170 + 150 * number, 520)], "#8c6539", 5)
    return scene


def candles() -> Scene:
    scene = Scene("#d9c3a0", "#bfa47c", 0)
    scene.shape([(100, 140), (700, 120), (720, 520), (80, 540)], "#a97f4f")
    scene.shape([(140, 180), (660, 165), (675, 485), (125, 500)], "#efe6d3")
    for number, color in enumerate(("#e9d8a6", "#ca6702", "#94a187", "#9b2226")):
        x = 200 + 125 * number
        scene.shape([(x, 230), (x + 60, 250), (x + 50, 320), (x + 8, 300)], color)
        scene.shape([(x + 20, 350), (x + 76, 340), (x + 70, 450), (x + 10, 460)], color)
    return scene


def course() -> Scene:
    scene = Scene("#dfe7e5", "#9fb4b0", 400)
    scene.box(260, 70, 560, 240, "#ffffff")
    scene.box(385, 105, 435, 205, "#d33f3f")
    scene.box(350, 135, 470, 175, "#d33f3f")
    for number, color in enumerate(("#35608f", "#d08c32", "#5d8a4e", "#8a4f7d", "#b04a3f")):
        x = 110 + 145 * number
        scene.disc(x, 350, 68, 72, ("#e0b08c", "#8d5a3b", "#c98f69")[number % 3])
        scene.box(x - 45, 390, x + 45, 540, color, round_=26)
    return scene


def basement() -> Scene:
    scene = Scene("#b8b2a4")
    scene.shape([(0, 0), (380, 90), (380, 470), (0, 600)], "#a39c8c")
    scene.shape([(0, 600), (380, 470), (800, 560), (800, 600)], "#6f695e")
    for number in range(9):
        scene.disc(380 + 26 * (number % 4) - 40, 440 - 30 * (number // 3), 130 - 9 * number, 90, "#7b7564")
    scene.line([(700, 0), (700, 560)], "#8b5a3c", 26)
    return scene


def starter() -> Scene:
    scene = Scene("#cfd6c6", "#a77f56", 430)
    scene.box(290, 190, 510, 500, "#e7eef0", round_=24)
    scene.box(300, 230, 500, 490, "#ecdcb5", round_=20)
    scene.disc(400, 200, 300, 150, "#f1e3bf")
    for number in range(6):
        x = 290 + 42 * number
        scene.line([(x, 200), (x - 6, 300 + 37 * (number % 3))], "#f1e3bf", 26)
    for number in range(16):
        scene.disc(320 + 11 * number, 280 + 53 * (number % 4), 15, 15, "#d8c390")
    return scene


def loaf() -> Scene:
    scene = Scene("#e4d8c4", "#8a5f3c", 400)
    scene.shape([(90, 470), (700, 450), (760, 540), (40, 560)], "#c49a6c")
    scene.disc(400, 390, 560, 320, "#8f5526")
    scene.disc(400, 375, 520, 270, "#b9762f")
    for number in range(5):
        x = 250 + 75 * number
        scene.line([(x - 30, 430), (x + 30, 310)], "#efd9a8", 18)
    return scene


def sign(board: str, words: str, paint: str) -> Scene:
    scene = Scene("#a9c6dc", "#7d9169", 470)
    scene.box(60, 250, 740, 600, "#b6614a")
    for row in range(9):
        scene.line([(60, 285 + 36 * row), (740, 285 + 36 * row)], "#9c4f3b", 3)
    scene.box(140, 90, 660, 220, board, round_=10)
    scene.words(400, 155, words, paint, 56)
    scene.box(340, 370, 460, 600, "#3b2a20")
    return scene


def card(words: str, lines: Sequence[str]) -> Scene:
    scene = Scene("#6d5340", "#5f4736", 0)
    scene.box(120, 130, 680, 480, "#f4f6f8", round_=24)
    scene.box(120, 130, 680, 215, "#2f6f9f", round_=24)
    scene.words(400, 172, words, "#ffffff", 38)
    for number, line in enumerate(lines):
        scene.words(400, 270 + 60 * number, line, "#33414c", 30)
    return scene


def jar() -> Scene:
    scene = Scene("#e7e0d3", "#b3936a", 440)
    scene.box(290, 170, 510, 500, "#d9932f", round_=26)
    scene.box(300, 130, 500, 180, "#54595e", round_=8)
    scene.box(315, 270, 485, 390, "#fbf3df")
    scene.words(400, 330, "HONEY", "#7b4a12", 36)
    scene.line([(330, 190), (360, 250), (335, 300), (390, 420), (370, 500)], "#fff6e0", 6)
    scene.disc(420, 520, 420, 70, "#e0a544")
    return scene


SCENES: dict[str, tuple[Callable[[], Scene], int]] = {
    "left-arm.heic": (lambda: arm("#c4604f"), 1200),
    "wrist.heic": (wrist, 1200),
    "pie.heic": (pie, 2400),
    "kitchen-tiles.heic": (tiles, 1200),
    "waiting-room.heic": (waiting_room, 1200),
    "biscuit.heic": (dog, 1200),
    "coats-in-the-gym.jpg": (coats, 640),
    "broken-candles.jpg": (candles, 640),
    "first-aid-course.jpg": (course, 640),
    "basement-corner.jpg": (basement, 640),
    "starter-escape.jpg": (starter, 640),
    "first-loaf.jpg": (loaf, 1700),
    "sign-before.jpg": (lambda: sign("#8c8577", "HARB R  LA E", "#5d574b"), 640),
    "sign-after.jpg": (lambda: sign("#1f4e5f", "HARBOR LANE", "#f6efdd"), 640),
    "knee-monday.jpg": (knee, 640),
    "card-front.jpg": (lambda: card("Example Health", ["Member 000 000 000", "Group 00-000"]), 640),
    "card-back.jpg": (lambda: card("Claims", ["claims@example.com", "+1 205 555 0100"]), 640),
    "cracked-jar.jpg": (jar, 640),
}


def draw(name: str) -> None:
    scene, width = SCENES[name]
    size = (width, width * HEIGHT // WIDTH)
    image = scene().image.resize(size, Image.Resampling.LANCZOS)
    if name.endswith(".heic"):
        image.save(FILES / name, "HEIF", quality=20, chroma=420)
    else:
        image.save(FILES / name, "JPEG", quality=28, optimize=True, progressive=width > 1000)


def pdf(name: str, lines: Sequence[str]) -> None:
    """Write a PDF of one page with `lines` of text."""
    text = "BT /F1 14 Tf 72 740 Td 22 TL " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        f"<</Length {len(text)}>>stream\n{text}\nendstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    body, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj{content}endobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    trailer = f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{len(body)}\n%%EOF\n"
    head = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n"
    (FILES / name).write_bytes(f"{body}{head}{table}{trailer}".encode("ascii"))


def voice(name: str) -> None:
    """Hum a sentence: a tone of the pitch of a voice, shaped into vowels, syllable by syllable."""
    rate, vowels = 16_000, ((730, 1090), (270, 2290), (570, 840), (530, 1840), (300, 870))
    samples: list[int] = []
    for number in range(12):
        first, second = vowels[number % len(vowels)]
        length = rate * (5 + number % 3) // 30
        pitch = 120 - 3 * number + 12 * (number % 4)
        for at in range(length):
            seconds, swell = at / rate, math.sin(math.pi * at / length)
            tone = sum(
                math.sin(2 * math.pi * pitch * harmonic * seconds)
                * (
                    1 / (1 + ((pitch * harmonic - first) / 120) ** 2)
                    + 0.5 / (1 + ((pitch * harmonic - second) / 160) ** 2)
                )
                for harmonic in range(1, 22)
            )
            samples.append(round(5200 * swell * tone))
    samples = [max(-32768, min(32767, sample)) for sample in samples]
    with av.open(str(FILES / name), "w", format="ipod") as container:
        stream: Any = container.add_stream("aac", rate=rate, layout="mono")
        stream.bit_rate = 16_000
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples))
        frame.sample_rate = rate
        frame.planes[0].update(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples))
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate, frame_size=1024)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


def main() -> None:
    register_heif_opener()
    FILES.mkdir(exist_ok=True)
    for name in SCENES:
        draw(name)
    pdf(
        "220-maple-roof.pdf",
        ["220 Maple Street", "Roof renewed in May 2015 by Example Roofing.", "Warranty: 20 years."],
    )
    pdf(
        "holiday-hours.pdf",
        ["Harbor Lane Clinic", "Holiday hours (draft)", "24 December: 8 to 12", "25 December: closed"],
    )
    pdf("inspection.pdf", ["Inspection report", "Roof: good", "Furnace: serviced in October", "Sink: slow drain"])
    pdf("signature-page.pdf", ["Signature page", "Signed by the buyer: ______________", "Date: ______________"])
    voice("call-script.m4a")
    (FILES / "call-list.csv").write_text(
        "name,number,call instead of\nRosa Lind,+12055550131,Dr. Ochoa\nTheo Brandt,+12055550132,front desk\n"
        "Ana Ruiz,+12055550133,billing\n",
        encoding="utf-8",
    )
    (FILES / "dr-ochoa.vcf").write_text(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Ochoa;Elena;;Dr.;\r\nFN:Dr. Elena Ochoa\r\nORG:Bay Family Practice\r\n"
        "TEL;TYPE=WORK:+12515550144\r\nEMAIL:office@example.com\r\n"
        "ADR;TYPE=WORK:;;18 Bay Street;Mobile;AL;36602;USA\r\nEND:VCARD\r\n",
        encoding="utf-8",
        newline="",
    )


if __name__ == "__main__":
    main()

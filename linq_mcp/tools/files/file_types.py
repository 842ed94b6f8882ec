"""Recognises a file by its first bytes, because its name and declared type are only claims of its sender."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from enum import Enum, auto

from linq_mcp.sanitize import clean

_WORD_LIMIT = 100
_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}")
# Other control characters are in no text that is meant to be read.
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
# HTML, XML, RTF and PostScript are text as well, but written for programs.
_MARKUP = re.compile(r"\s*(?:<[!?a-z]|\{\\rtf|%!ps)", re.IGNORECASE)


class Kind(Enum):
    """How a file can be shown; `OTHER` is not shown at all."""

    IMAGE = auto()
    AUDIO = auto()  # that models can hear
    TEXT = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class FileType:
    kind: Kind
    mime_type: str


_SIGNATURES = (
    (rb"\xff\xd8\xff", Kind.IMAGE, "image/jpeg"),
    (rb"\x89PNG\r\n\x1a\n", Kind.IMAGE, "image/png"),
    (rb"GIF8[79]a", Kind.IMAGE, "image/gif"),
    (rb"RIFF....WEBP", Kind.IMAGE, "image/webp"),
    # These two brands may name the container only; one of the brands that follow then names the content.
    (rb"....ftyp(?:avi[fs]|(?:mif1|msf1).{4}(?:.{4})*?avi[fs])", Kind.IMAGE, "image/avif"),
    (rb"....ftyp(?:hei[cxms]|hev[cxms]|(?:mif1|msf1).{4}(?:.{4})*?(?:hei[cxms]|hev[cxms]))", Kind.IMAGE, "image/heic"),
    (rb"....ftyp(?:mif1|msf1)", Kind.IMAGE, "image/heif"),
    (rb"II\*\0|MM\0\*", Kind.OTHER, "image/tiff"),
    (rb"BM....\0\0\0\0", Kind.OTHER, "image/bmp"),
    (rb"....ftyp(?:M4A |M4B )", Kind.AUDIO, "audio/mp4"),
    (rb"ID3|\xff[\xf2\xf3\xfa\xfb]", Kind.AUDIO, "audio/mpeg"),
    (rb"RIFF....WAVE", Kind.AUDIO, "audio/wav"),
    (rb"\xff[\xf0\xf1\xf8\xf9]", Kind.OTHER, "audio/aac"),
    (rb"OggS", Kind.OTHER, "audio/ogg"),
    (rb"fLaC", Kind.OTHER, "audio/flac"),
    (rb"caff", Kind.OTHER, "audio/x-caf"),
    (rb"#!AMR", Kind.OTHER, "audio/amr"),
    (rb"....ftypqt  ", Kind.OTHER, "video/quicktime"),
    (rb"%PDF-", Kind.OTHER, "application/pdf"),
)
_CONTAINER = re.compile(rb"....ftyp|\x1aE\xdf\xa3", re.DOTALL)
# Files of these types are recognised, so any other file is not of that type.
_RECOGNISED = {"image/jpg", *(mime_type for _, _, mime_type in _SIGNATURES if mime_type.startswith("image/"))}


def file_type(head: bytes, declared: str | None) -> FileType:
    """The type of a file that begins with `head`; the `declared` one counts only where the bytes leave it open."""
    for signature, kind, mime_type in _SIGNATURES:
        if re.match(signature, head[:256], re.DOTALL):
            return FileType(kind, mime_type)
    word = clean(declared or "", _WORD_LIMIT).lower().partition(";")[0].strip()
    claimed = word if _MEDIA_TYPE.fullmatch(word) and word not in _RECOGNISED else ""
    if _CONTAINER.match(head):
        # Sound comes in the containers of video as well. Of these, models hear MPEG-4, and not 3GPP.
        if claimed.startswith("audio/") and head[4:8] == b"ftyp" and head[8:10] != b"3g":
            return FileType(Kind.AUDIO, claimed)
        return FileType(Kind.OTHER, claimed or "video/mp4")
    text = read_text(head)
    if text is None or _MARKUP.match(text):
        return FileType(Kind.OTHER, claimed or "application/octet-stream")
    if card := re.match(r"\s*BEGIN:V(CARD|CALENDAR)\b", text, re.IGNORECASE):
        return FileType(Kind.TEXT, "text/vcard" if card[1].upper() == "CARD" else "text/calendar")
    return FileType(Kind.TEXT, claimed if claimed.startswith("text/") else "text/plain")


def read_text(data: bytes) -> str | None:
    """The text that `data` begins with, in UTF-8, UTF-16 or Windows-1252; None if it is not a text."""
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        # A character that is cut off at the end is left out.
        text = codecs.getincrementaldecoder(encoding)().decode(data)
    except UnicodeDecodeError:
        if encoding == "utf-16":
            return None
        text = data.decode("cp1252", errors="replace")
    return None if _CONTROL.search(text) else text

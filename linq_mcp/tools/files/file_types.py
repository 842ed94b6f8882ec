"""Recognises what a file is by its first bytes, because its name and declared type are only what a sender claims."""

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
    AUDIO = auto()
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
    (rb"....ftyp(?:hei[cxms]|hev[cx])", Kind.IMAGE, "image/heic"),
    # These two name the container only; among the brands that follow is what is in it.
    (rb"....ftyp(?:mif1|msf1).{4}(?:.{4})*?(?:hei[cxms]|hev[cx])", Kind.IMAGE, "image/heic"),
    (rb"....ftyp(?:M4A |M4B )", Kind.AUDIO, "audio/mp4"),
    (rb"ID3|\xff[\xf2\xf3\xfa\xfb]", Kind.AUDIO, "audio/mpeg"),
    (rb"\xff[\xf0\xf1\xf8\xf9]", Kind.AUDIO, "audio/aac"),
    (rb"RIFF....WAVE", Kind.AUDIO, "audio/wav"),
    (rb"OggS", Kind.AUDIO, "audio/ogg"),
    (rb"fLaC", Kind.AUDIO, "audio/flac"),
    (rb"caff", Kind.AUDIO, "audio/x-caf"),
    (rb"#!AMR", Kind.AUDIO, "audio/amr"),
    (rb"....ftypqt  ", Kind.OTHER, "video/quicktime"),
    (rb"%PDF-", Kind.OTHER, "application/pdf"),
)
_VIDEO = re.compile(rb"....ftyp|\x1aE\xdf\xa3", re.DOTALL)


def file_type(head: bytes, declared: str | None) -> FileType:
    """What a file is that begins with `head`; the `declared` type counts only where the bytes leave it open."""
    for signature, kind, mime_type in _SIGNATURES:
        if re.match(signature, head[:256], re.DOTALL):
            return FileType(kind, mime_type)
    word = clean(declared or "", _WORD_LIMIT).lower().partition(";")[0].strip()
    claimed = word if _MEDIA_TYPE.fullmatch(word) else ""
    if _VIDEO.match(head):
        # Both kinds come in these containers.
        return FileType(Kind.AUDIO if claimed.startswith("audio/") else Kind.OTHER, claimed or "video/mp4")
    text = read_text(head)
    if text is None or _MARKUP.match(text):
        return FileType(Kind.OTHER, claimed or "application/octet-stream")
    if card := re.match(r"\s*BEGIN:V(CARD|CALENDAR)\b", text, re.IGNORECASE):
        return FileType(Kind.TEXT, "text/vcard" if card[1].upper() == "CARD" else "text/calendar")
    return FileType(Kind.TEXT, claimed if claimed.startswith("text/") else "text/plain")


def read_text(data: bytes) -> str | None:
    """The text that `data` begins with, in UTF-8, UTF-16 or Windows-1252; None if it is none."""
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        # A character that is cut off at the end is left out.
        text = codecs.getincrementaldecoder(encoding)().decode(data)
    except UnicodeDecodeError:
        if encoding == "utf-16":
            return None
        text = data.decode("cp1252", errors="replace")
    return None if _CONTROL.search(text) else text

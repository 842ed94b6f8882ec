"""A file's type comes from its first bytes, whatever its sender says."""

from __future__ import annotations

import pytest
from helpers.photos import photo

from linq_mcp.demo.attachments import content_of
from linq_mcp.tools.files.file_types import FileType, Kind, file_type, read_text

MP4 = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"


@pytest.mark.parametrize(
    ("head", "kind", "mime_type"),
    [
        ("JPEG", Kind.IMAGE, "image/jpeg"),
        ("PNG", Kind.IMAGE, "image/png"),
        ("GIF", Kind.IMAGE, "image/gif"),
        ("WEBP", Kind.IMAGE, "image/webp"),
        ("HEIF", Kind.IMAGE, "image/heic"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf", Kind.IMAGE, "image/heic"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", Kind.IMAGE, "image/avif"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1miaf", Kind.IMAGE, "image/heif"),
        ("AVIF", Kind.IMAGE, "image/avif"),
        ("TIFF", Kind.OTHER, "image/tiff"),
        ("BMP", Kind.OTHER, "image/bmp"),
        (b"".join(content_of("call-script.m4a")), Kind.AUDIO, "audio/mp4"),
        (b"ID3\x04\0\0", Kind.AUDIO, "audio/mpeg"),
        (b"\xff\xfb\x90\x64", Kind.AUDIO, "audio/mpeg"),
        (b"\xff\xf1\x50\x80", Kind.OTHER, "audio/aac"),
        (b"RIFF\x24\0\0\0WAVEfmt ", Kind.AUDIO, "audio/wav"),
        (b"OggS\0\x02", Kind.OTHER, "audio/ogg"),
        (b"fLaC\0\0\0\x22", Kind.OTHER, "audio/flac"),
        (b"caff\0\x01\0\0", Kind.OTHER, "audio/x-caf"),
        (b"#!AMR\n", Kind.OTHER, "audio/amr"),
        (b"%PDF-1.7\n", Kind.OTHER, "application/pdf"),
        (b"\0\0\0\x14ftypqt  ", Kind.OTHER, "video/quicktime"),
        (MP4, Kind.OTHER, "video/mp4"),
        (b"BEGIN:VCARD\r\nVERSION:3.0", Kind.TEXT, "text/vcard"),
        (b"\xef\xbb\xbfbegin:vcalendar\n", Kind.TEXT, "text/calendar"),
        (b"name,number\n", Kind.TEXT, "text/plain"),
        (b"", Kind.TEXT, "text/plain"),
        (b"<!DOCTYPE html>", Kind.OTHER, "application/octet-stream"),
        (b'\n<?xml version="1.0"?><svg/>', Kind.OTHER, "application/octet-stream"),
        (b"{\\rtf1", Kind.OTHER, "application/octet-stream"),
        (b"MZ\x90\0\x03", Kind.OTHER, "application/octet-stream"),
        (b"PK\x03\x04\x14\0", Kind.OTHER, "application/octet-stream"),
    ],
)
def test_the_bytes_say_what_a_file_is(head: bytes | str, kind: Kind, mime_type: str) -> None:
    """A photo is named by its format."""
    head = photo(head) if isinstance(head, str) else head
    assert file_type(head, None) == FileType(kind, mime_type)
    if kind is Kind.IMAGE:
        assert file_type(head, "application/pdf") == FileType(kind, mime_type)
    else:
        assert file_type(head, "image/png").kind is kind


@pytest.mark.parametrize(
    ("head", "declared", "expected"),
    [
        (b"name,number\n", "text/csv", FileType(Kind.TEXT, "text/csv")),
        (b"name,number\n", "Text/CSV; charset=utf-8", FileType(Kind.TEXT, "text/csv")),
        (b'{"a": 1}', "application/json", FileType(Kind.TEXT, "text/plain")),
        (b"PK\x03\x04\x14\0", "application/vnd.apple.pages", FileType(Kind.OTHER, "application/vnd.apple.pages")),
        (MP4, "audio/x-m4a", FileType(Kind.AUDIO, "audio/x-m4a")),
        (MP4, "video/mp4", FileType(Kind.OTHER, "video/mp4")),
        (b"\0\0\0\x18ftyp3gp4\0\0\0\0", "audio/3gpp", FileType(Kind.OTHER, "audio/3gpp")),
        (MP4, "image/jpeg", FileType(Kind.OTHER, "video/mp4")),
        (b"PK\x03\x04", "image/jpeg", FileType(Kind.OTHER, "application/octet-stream")),
        (b"PK\x03\x04", "image/jpg", FileType(Kind.OTHER, "application/octet-stream")),
        (b"\0\0\0\x18ftypcrx \0\0\0\0", "image/x-canon-cr3", FileType(Kind.OTHER, "image/x-canon-cr3")),
        (b"PK\x03\x04", "no type", FileType(Kind.OTHER, "application/octet-stream")),
        (b"PK\x03\x04", "a/b\n\u202ec", FileType(Kind.OTHER, "application/octet-stream")),
        (b"PK\x03\x04", "a/" + "b" * 200, FileType(Kind.OTHER, "application/octet-stream")),
    ],
)
def test_the_sender_is_believed_where_the_bytes_leave_it_open(head: bytes, declared: str, expected: FileType) -> None:
    assert file_type(head, declared) == expected


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"caf\xc3\xa9", "café"),
        (b"\xef\xbb\xbfcaf\xc3\xa9", "café"),
        ("café".encode("utf-16"), "café"),
        (b"caf\xe9 \x80", "café €"),
        (b"caf\xc3", "caf"),
        (b"", ""),
        (b"a\0b", None),
        (b"a\x1b[31mb", None),
        (b"\xff\xfe\x00\xd8", ""),
    ],
)
def test_text_is_read_in_the_encodings_that_people_use(data: bytes, text: str | None) -> None:
    """A character that is cut off at the end is left out, and control characters are not text."""
    assert read_text(data) == text

"""Reads Linq's answers within limits, parses them as JSON, and turns them into pages or wire models."""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, Generic, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from linq_mcp.api.models import ChatDetail, CreatedChat, Message, Poll, SentMessage, WirePage
from linq_mcp.errors import ApiResponseError
from linq_mcp.sanitize import clean

MAX_ANSWER_BYTES = 10_000_000
# Ten times what the largest page that Linq documents has. They bound the time and memory that parsing takes.
MAX_OBJECTS = 50_000
MAX_VALUES = 500_000
# Answers up to this size can't hold enough of them to matter.
_SMALL = 256_000
# Beyond the first number of bytes, an answer may be at most this many times as large as its compressed form.
_FREELY_INFLATED = 1_000_000
_MAX_RATIO = 100
# Cursors travel through a model and back. No real one is longer than this.
_CURSOR_LIMIT = 1900
_SKIPPING = re.compile(r"skip=([0-9]{1,6});(.*)")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9.+-]{1,30}/[A-Za-z0-9.+-]{1,60}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TRACE_ID = re.compile(r"[0-9A-Fa-f-]{1,80}")
# In seconds. Any wait that is longer is too long anyway.
_LONGEST_WAIT = 1_000_000_000

ItemT = TypeVar("ItemT")
ModelT = TypeVar("ModelT", bound=BaseModel)
IdentifiedT = TypeVar("IdentifiedT", ChatDetail, Message)
SentT = TypeVar("SentT", SentMessage, CreatedChat)


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """A 2xx answer as it arrived. `trace_id` is Linq's, for the errors that reading the answer may raise."""

    content: bytes
    content_type: str
    trace_id: str | None

    def object(self) -> dict[str, Any]:
        """The answer as a JSON object, with a NUL for each lone surrogate. Raises `ApiResponseError`."""
        try:
            # A lone surrogate is valid JSON but can't be encoded as UTF-8. Cleaning removes the NUL; in a cursor, it
            # makes the cursor unusable, as it should.
            text = json.dumps(json.loads(self.content), ensure_ascii=False)
            value = json.loads(_SURROGATE.sub(r"\\u0000", text))
        except (ValueError, RecursionError):
            kind = self.content_type.split(";")[0].strip()
            kind = kind if _MEDIA_TYPE.fullmatch(kind) else "no content type"
            message = f"It was not JSON ({kind}, {len(self.content)} bytes)."
            raise ApiResponseError(message, trace_id=self.trace_id) from None
        if not isinstance(value, dict):
            raise self.wrong_shape("It was JSON, but not an object.")
        return value

    def wrong_shape(self, message: str) -> ApiResponseError:
        return ApiResponseError(message, trace_id=self.trace_id)


@dataclass(frozen=True, slots=True)
class Page(Generic[ItemT]):
    """A page of a list, with no more items than were asked for.

    `unreadable` counts the entries that were not objects. `next_cursor` is None on the last page. `unusable_cursor`
    is true if there is another page, but Linq's cursor for it can't be sent back.
    """

    items: list[ItemT]
    unreadable: int
    next_cursor: str | None
    unusable_cursor: bool


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request for a page of a list: at most `limit` items, starting at `cursor`.

    If Linq sends more rows than `limit`, the next page comes from the same answer: its cursor is the number of rows to
    skip, followed by Linq's own cursor for this answer. So no row is lost, however many rows Linq sends.
    """

    limit: int
    cursor: str | None

    @property
    def place(self) -> tuple[int, str | None]:
        """How many rows of Linq's answer to skip, and Linq's own cursor for it."""
        skipping = _SKIPPING.fullmatch(self.cursor or "")
        return (int(skipping[1]), skipping[2] or None) if skipping else (0, self.cursor)

    def next_cursor(self, rows: int, given: object) -> tuple[str | None, bool]:
        """The cursor of the next page, and whether Linq gave one that can't be used.

        `rows` is how many rows Linq sent, `given` Linq's own next cursor.
        """
        skip, cursor = self.place
        if rows > skip + self.limit:
            return f"skip={skip + self.limit};{cursor or ''}", False
        if given is None or given == "":
            return None, False
        if isinstance(given, int) and not isinstance(given, bool):
            given = str(given)
        if not isinstance(given, str) or not _is_usable(given):
            return None, True
        if given == cursor:
            # Returned as it was received, so that the caller recognises a repeated cursor.
            return self.cursor, False
        return f"skip=0;{given}" if _SKIPPING.fullmatch(given) else given, False


def _is_usable(cursor: str) -> bool:
    """Whether a model can copy a cursor back unchanged: it is short, printable, and has no invisible characters."""
    visible = cursor.replace(" ", "")
    trimmed = cursor == cursor.strip()
    return len(cursor) <= _CURSOR_LIMIT and cursor.isprintable() and trimmed and clean(visible, None) == visible


async def read_body(response: httpx.Response) -> bytes:
    """The decompressed body, if it is cheap to parse. Raises `ApiResponseError` if it isn't.

    At most `MAX_ANSWER_BYTES` are kept, however well the body was compressed.
    """

    def refuse(message: str) -> ApiResponseError:
        return ApiResponseError(message, trace_id=trace_id_of(response))

    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise refuse("It used a content encoding that had not been requested.")
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding not in ("identity", "") else None
    body = bytearray()
    try:
        async for chunk in response.aiter_raw():
            if inflater and inflater.eof:
                # zlib would keep whatever follows, without bound.
                break
            body += inflater.decompress(chunk, MAX_ANSWER_BYTES + 1 - len(body)) if inflater else chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise refuse("It was larger than 10 MB.")
            if len(body) > max(_FREELY_INFLATED, _MAX_RATIO * response.num_bytes_downloaded):
                raise refuse("It was compressed more than any real answer is.")
    except zlib.error:
        raise refuse("It could not be decompressed.") from None
    if inflater and not inflater.eof and body:
        raise refuse("Its compressed body was cut off.")
    if len(body) > _SMALL and not _is_simple(body):
        raise refuse("It had far more entries than any answer from Linq.")
    return bytes(body)


def _is_simple(body: bytearray) -> bool:
    """Whether the JSON has at most `MAX_OBJECTS` objects and lists, and `MAX_VALUES` values.

    Size alone doesn't tell what parsing costs: 10 MB of `{}` in a list take up a gigabyte.
    """

    def is_simple(text: bytes | bytearray) -> bool:
        return text.count(b"{") + text.count(b"[") <= MAX_OBJECTS and text.count(b",") <= MAX_VALUES

    if is_simple(body):
        return True
    # Braces inside strings are not structure, so count again without the strings.
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    if unescaped.count(b'"') > 2 * MAX_VALUES:
        return False
    return is_simple(b"".join(unescaped.split(b'"')[::2]))


def as_page(answer: ApiAnswer, model: type[WirePage[ItemT]], asked: PageRequest | None = None) -> Page[ItemT]:
    """Read the page that was requested with `asked`; without `asked`, a list that has only one page.

    Null instead of a list is an empty page.

    Raises `ApiResponseError`.
    """
    try:
        listing = _validated(answer, model)
    except ValidationError:
        raise answer.wrong_shape(f"It had no list of {model.model_fields['items'].alias}.") from None
    rows = listing.items or []
    asked = asked or PageRequest(len(rows), None)
    skip, _ = asked.place
    received = rows[skip : skip + asked.limit]
    items = [item for item in received if item is not None]
    next_cursor, unusable = asked.next_cursor(len(rows), listing.next_cursor)
    return Page(items, len(received) - len(items), next_cursor, unusable)


def as_one(answer: ApiAnswer, model: type[IdentifiedT]) -> IdentifiedT:
    """Read a single object. Raises `ApiResponseError`, also if it has no id."""
    one = _validated(answer, model)
    if not clean(one.id or "", None):
        raise answer.wrong_shape("It had no id.")
    return one


def as_poll(answer: ApiAnswer) -> Poll:
    """Read a poll, which has no id. Raises `ApiResponseError`."""
    return _validated(answer, Poll)


def as_sent(answer: ApiAnswer, model: type[SentT]) -> SentT:
    """Read what Linq says about a message that it took.

    Raises `ApiResponseError` if it names no message: whether Linq has taken it is then unknown.
    """
    try:
        sent = _validated(answer, model)
    except ValidationError:
        raise _unclear(answer.wrong_shape("It names no message.")) from None
    except ApiResponseError as error:
        raise _unclear(error) from None
    if not clean((sent.taken and sent.taken.id) or "", None):
        raise _unclear(answer.wrong_shape("It names no message."))
    return sent


def check_accepted(answer: ApiAnswer) -> None:
    """Raise `ApiResponseError` unless `answer` is Linq's: whether Linq has acted is then unknown."""
    try:
        answer.object()
    except ApiResponseError as error:
        raise _unclear(error) from None


def _unclear(error: ApiResponseError) -> ApiResponseError:
    error.may_have_sent = True
    return error


def _validated(answer: ApiAnswer, model: type[ModelT]) -> ModelT:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError:
        # pydantic's parser is faster but stricter than `json` about lone surrogates and nesting. What it refuses is
        # parsed again with `json`.
        return model.model_validate(answer.object())


def seconds_to_wait(value: object) -> float | None:
    """Seconds to wait, from a `Retry-After` header (a number or a date) or an envelope's number; None if unclear."""
    if isinstance(value, str):
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value.strip()):
            return _seconds_until(value)
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    return float(min(value, _LONGEST_WAIT))


def _seconds_until(date: str) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time())
    except (ValueError, TypeError, OverflowError):
        return None


def trace_id_of(response: httpx.Response) -> str | None:
    return safe_trace_id(response.headers.get("X-Trace-ID"))


def safe_trace_id(value: object) -> str | None:
    """`value` if it consists of hexadecimal digits and dashes, so that it can't contain words; otherwise None."""
    return value if isinstance(value, str) and _TRACE_ID.fullmatch(value) else None

"""Linq's answers on their way in: read within bounds, parsed as JSON, and turned into pages or wire models."""

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

from linq_mcp.api.models import ChatDetail, Listing, Message
from linq_mcp.errors import ApiResponseError, ResponseProblem
from linq_mcp.sanitize import clean

MAX_ANSWER_BYTES = 10_000_000
# A page that Linq documents has a tenth of these. The time and memory that parsing takes follow from them.
MAX_OBJECTS = 50_000
MAX_VALUES = 500_000
# Smaller answers cannot hold enough of them to matter.
_SMALL = 256_000
# How far a compressed answer may expand, once it is larger than the first number.
_FREELY_INFLATED = 1_000_000
_MAX_RATIO = 100
# Longer than any cursor that could be meant to travel through a model and back.
_CURSOR_LIMIT = 1900
_SKIPPING = re.compile(r"skip=([0-9]{1,6});(.*)")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9.+-]{1,30}/[A-Za-z0-9.+-]{1,60}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TRACE_ID = re.compile(r"[0-9A-Fa-f-]{1,80}")
# In seconds. Longer waits are all the same: too long.
_LONGEST_WAIT = 1_000_000_000

ItemT = TypeVar("ItemT")
ModelT = TypeVar("ModelT", bound=BaseModel)
IdentifiedT = TypeVar("IdentifiedT", ChatDetail, Message)


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer as it arrived, with Linq's trace id for the errors that reading it may raise."""

    content: bytes
    content_type: str
    trace_id: str | None

    def object(self) -> dict[str, Any]:
        """The answer as a JSON object, with a NUL for each lone surrogate. Raises `ApiResponseError`."""
        try:
            # Half an emoji is valid JSON, but not UTF-8. A NUL is cleaned away later, and spoils a cursor as it should.
            text = json.dumps(json.loads(self.content), ensure_ascii=False)
            value = json.loads(_SURROGATE.sub(r"\\u0000", text))
        except (ValueError, RecursionError):
            kind = self.content_type.split(";")[0].strip()
            kind = kind if _MEDIA_TYPE.fullmatch(kind) else "no content type"
            message = f"It was not JSON ({kind}, {len(self.content)} bytes)."
            raise ApiResponseError(message, problem=ResponseProblem.NOT_JSON, trace_id=self.trace_id) from None
        if not isinstance(value, dict):
            raise self.wrong_shape("It was JSON, but not an object.")
        return value

    def wrong_shape(self, message: str) -> ApiResponseError:
        return ApiResponseError(message, problem=ResponseProblem.WRONG_SHAPE, trace_id=self.trace_id)


@dataclass(frozen=True, slots=True)
class Page(Generic[ItemT]):
    """A page of a list, with no more items than were asked for.

    `unreadable` counts the entries that were not objects. `next_cursor` is None on the last page. `unusable_cursor`
    says that there is more, but that Linq's cursor for it has a form that cannot be sent again.
    """

    items: list[ItemT]
    unreadable: int
    next_cursor: str | None
    unusable_cursor: bool


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What is asked of a list: at most `limit` items from `cursor` on.

    If Linq sends more rows than that, the next page is made of the same answer: its cursor is Linq's own for this
    answer, with the number of rows to skip before it. So no row is lost, whatever number of rows Linq sends.
    """

    limit: int
    cursor: str | None

    @property
    def place(self) -> tuple[int, str | None]:
        """How many rows of Linq's answer to skip, and Linq's own cursor for it."""
        skipping = _SKIPPING.fullmatch(self.cursor or "")
        return (int(skipping[1]), skipping[2] or None) if skipping else (0, self.cursor)

    def next_cursor(self, rows: int, given: object) -> tuple[str | None, bool]:
        """The cursor after this page, and whether there is one that cannot be used.

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
            # Recognised as a repeated cursor by whoever asked with it.
            return self.cursor, False
        return f"skip=0;{given}" if _SKIPPING.fullmatch(given) else given, False


def _is_usable(cursor: str) -> bool:
    """Whether a cursor survives the way through a model and back: short, printable, nothing invisible in it."""
    visible = cursor.replace(" ", "")
    trimmed = cursor == cursor.strip()
    return len(cursor) <= _CURSOR_LIMIT and cursor.isprintable() and trimmed and clean(visible, None) == visible


async def read_body(response: httpx.Response) -> bytes:
    """The decoded body, if it is one that can be parsed at little cost. Raises `ApiResponseError`.

    Nothing is kept beyond `MAX_ANSWER_BYTES`, however well the body was compressed.
    """

    def refuse(message: str, problem: ResponseProblem) -> ApiResponseError:
        return ApiResponseError(message, problem=problem, trace_id=trace_id_of(response))

    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise refuse("Its encoding had not been asked for.", ResponseProblem.BAD_ENCODING)
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding not in ("identity", "") else None
    body = bytearray()
    try:
        async for chunk in response.aiter_raw():
            if inflater and inflater.eof:
                # zlib would keep whatever follows, without bound.
                break
            body += inflater.decompress(chunk, MAX_ANSWER_BYTES + 1 - len(body)) if inflater else chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise refuse("It was larger than 10 MB.", ResponseProblem.TOO_LARGE)
            if len(body) > max(_FREELY_INFLATED, _MAX_RATIO * response.num_bytes_downloaded):
                raise refuse("It was compressed far more than JSON can be.", ResponseProblem.TOO_LARGE)
    except zlib.error:
        raise refuse("Its compression was broken.", ResponseProblem.BAD_ENCODING) from None
    if inflater and not inflater.eof and body:
        raise refuse("Its compressed body ended too early.", ResponseProblem.BAD_ENCODING)
    if len(body) > _SMALL and not _is_simple(body):
        raise refuse("It had far more entries than any answer of Linq's.", ResponseProblem.TOO_LARGE)
    return bytes(body)


def _is_simple(body: bytearray) -> bool:
    """Whether JSON has at most `MAX_OBJECTS` objects and lists and `MAX_VALUES` values in them.

    The number of bytes is no measure of what parsing costs: a list of 10 MB of `{}` takes a gigabyte.
    """

    def is_simple(text: bytes | bytearray) -> bool:
        return text.count(b"{") + text.count(b"[") <= MAX_OBJECTS and text.count(b",") <= MAX_VALUES

    if is_simple(body):
        return True
    # Braces in what people wrote are not structure, so count again without the strings.
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    if unescaped.count(b'"') > 2 * MAX_VALUES:
        return False
    return is_simple(b"".join(unescaped.split(b'"')[::2]))


def as_page(answer: Answer, model: type[Listing[ItemT]], asked: PageRequest | None = None) -> Page[ItemT]:
    """Read a page, or without `asked` a list that has only one; null items are an empty page.

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


def as_one(answer: Answer, model: type[IdentifiedT]) -> IdentifiedT:
    """Read a single object, which has an id. Raises `ApiResponseError`."""
    one = _validated(answer, model)
    if not clean(one.id or "", None):
        raise answer.wrong_shape("It had no id.")
    return one


def _validated(answer: Answer, model: type[ModelT]) -> ModelT:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError:
        # Faster, but stricter than `json`: no lone surrogates, less nesting. What it refuses is read again.
        return model.model_validate(answer.object())


def seconds_to_wait(value: object) -> float | None:
    """Seconds from a `Retry-After` header (a number or a date) or an envelope's number; None if it says nothing."""
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
    """`value` if it is made of hexadecimal digits and dashes: nothing else can be read as words."""
    return value if isinstance(value, str) and _TRACE_ID.fullmatch(value) else None

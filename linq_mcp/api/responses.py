"""What Linq answers, on its way in: read within bounds, taken as JSON, and as a page or object of the wire models."""

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

from linq_mcp.api.models import Listing
from linq_mcp.errors import ApiResponseError
from linq_mcp.sanitize import clean

MAX_ANSWER_BYTES = 10_000_000
# Longer than any cursor that could be meant to travel through a model and back.
_CURSOR_LIMIT = 2000
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9.+-]{1,30}/[A-Za-z0-9.+-]{1,60}")

# In seconds: what is farther away is no nearer to a retry.
_FOREVER = 1_000_000_000

ItemT = TypeVar("ItemT")
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer as it came, and Linq's trace id for the errors that reading it may bring."""

    content: bytes
    content_type: str
    trace_id: str | None

    def object(self) -> dict[str, Any]:
        """The answer as a JSON object. Raises `ApiResponseError`."""
        try:
            value = json.loads(self.content)
        except (ValueError, RecursionError):
            kind = self.content_type.split(";")[0].strip()
            kind = kind if _MEDIA_TYPE.fullmatch(kind) else "no content type"
            raise ApiResponseError(
                f"It was no JSON ({kind}, {len(self.content)} bytes).", trace_id=self.trace_id
            ) from None
        if not isinstance(value, dict):
            raise ApiResponseError("It was JSON, but no object.", trace_id=self.trace_id)
        return value


@dataclass(frozen=True, slots=True)
class Page(Generic[ItemT]):
    """A page of a list.

    `unreadable` counts the items that were no objects. `next_cursor` is None on the last page; `unusable_cursor` says
    that there is more, but behind a cursor of a form that can't be sent again.
    """

    items: list[ItemT]
    unreadable: int
    next_cursor: str | None
    unusable_cursor: bool


async def read_body(response: httpx.Response) -> bytes:
    """The decoded body, read no further than `MAX_ANSWER_BYTES` however well it was compressed."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise ApiResponseError("It came in an encoding that was not asked for.", trace_id=trace_id_of(response))
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding not in ("identity", "") else None
    body = bytearray()
    try:
        async for chunk in response.aiter_raw():
            if inflater and inflater.eof:
                # zlib would keep what follows, without bound.
                break
            body += inflater.decompress(chunk, MAX_ANSWER_BYTES + 1 - len(body)) if inflater else chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise ApiResponseError("It was larger than 10 MB.", trace_id=trace_id_of(response))
    except zlib.error:
        raise ApiResponseError("Its compression was broken.", trace_id=trace_id_of(response)) from None
    if inflater and not inflater.eof and body:
        raise ApiResponseError("Its compressed body ended too early.", trace_id=trace_id_of(response))
    return bytes(body)


def as_page(answer: Answer, model: type[Listing[ItemT]]) -> Page[ItemT]:
    """Read a page; null items are an empty page, other types are refused. Raises `ApiResponseError`."""
    try:
        listing = model.model_validate_json(answer.content)
    except ValidationError:
        # Faster, but stricter than json: no lone surrogates, less nesting. What it refuses gets a second reading.
        try:
            listing = model.model_validate(answer.object())
        except ValidationError:
            member = model.model_fields["items"].alias
            raise ApiResponseError(f"It had no list of {member}.", trace_id=answer.trace_id) from None
    received = listing.items or []
    items = [item for item in received if item is not None]
    next_cursor, lost = _cursor(listing.next_cursor)
    return Page(items=items, unreadable=len(received) - len(items), next_cursor=next_cursor, unusable_cursor=lost)


def as_one(answer: Answer, model: type[ModelT]) -> ModelT:
    """Read one object, which has an id. Raises `ApiResponseError`."""
    body = answer.object()
    if not isinstance(given := body.get("id"), str) or not clean(given, None):
        raise ApiResponseError("It had no id.", trace_id=answer.trace_id)
    return model.model_validate(body)


def _cursor(value: object) -> tuple[str | None, bool]:
    """The cursor to send for the next page, and whether there is one that can't be sent."""
    if value is None or value == "":
        return None, False
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    usable = isinstance(value, str) and len(value) <= _CURSOR_LIMIT and value.isprintable() and value == value.strip()
    return (str(value), False) if usable else (None, True)


def seconds_to_wait(value: object) -> float | None:
    """Seconds from a `Retry-After` header (a number or a date) or an envelope's number; None if it says nothing."""
    if isinstance(value, str):
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value.strip()):
            return _until(value)
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    return float(min(value, _FOREVER))


def _until(date: str) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time())
    except (ValueError, TypeError, OverflowError):
        return None


def trace_id_of(response: httpx.Response) -> str | None:
    return safe_trace_id(response.headers.get("X-Trace-ID"))


def safe_trace_id(value: object) -> str | None:
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9._:-]{1,80}", value) else None

"""Records what clients send, as a socket receives it, with an API that answers every request alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from helpers.running_api import running
from starlette.types import Receive, Scope, Send

# Valid for every endpoint: an empty page of each list, and an object with an id.
_BODY = json.dumps({"id": "1", "chats": [], "messages": [], "phone_numbers": [], "next_cursor": None}).encode()


@dataclass(frozen=True)
class Sent:
    """A request as the bytes it arrived in, with its `name=value` parameters sorted: clients order them differently."""

    method: str
    path: bytes
    parameters: tuple[bytes, ...]
    authorization: bytes
    accept: bytes


@contextmanager
def recording() -> Iterator[tuple[str, list[Sent]]]:
    """Yield the base URL of a recording API on a loopback port, and the list of what it has received."""
    sent: list[Sent] = []

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        query: bytes = scope["query_string"]
        sent.append(
            Sent(
                method=scope["method"],
                path=scope["raw_path"],
                parameters=tuple(sorted(query.split(b"&"))) if query else (),
                authorization=headers[b"authorization"],
                accept=headers[b"accept"],
            )
        )
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": _BODY})

    with running(app) as url:
        yield url, sent

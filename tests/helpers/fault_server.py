"""An API that misbehaves: a server on a raw loopback socket that answers each request with whatever bytes it is told.

It reads the head of a request, keeps it, and lets a responder loose on the connection. It knows no HTTP beyond that, so
there is nothing that it could get right by accident. Threads are bounded, and closing it ends them all.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

# No responder goes on for longer, whatever happens to the test.
LONGEST = 90.0
_CONNECTIONS = 128
_HEAD_LIMIT = 65_536
# Closing a socket with this lingers for no time at all: the peer gets a reset.
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request as it came."""

    head: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.head.split(b" ", 2)[1].decode()).path

    @property
    def query(self) -> dict[str, str]:
        return {
            name: values[0] for name, values in parse_qs(urlsplit(self.head.split(b" ", 2)[1].decode()).query).items()
        }

    def header(self, name: str) -> list[str]:
        """The values of all headers of that name."""
        pairs = (line.split(":", 1) for line in self.head.decode("latin-1").split("\r\n")[1:] if ":" in line)
        return [value.strip() for given, value in pairs if given.lower() == name.lower()]


class Connection:
    """A connection to be answered. `here` and `elsewhere` are the base URLs of this and of another server."""

    def __init__(self, connection: socket.socket, over: threading.Event, here: str, elsewhere: str) -> None:
        self.here = here
        self.elsewhere = elsewhere
        self.open = True
        self._connection = connection
        self._over = over

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def wait(self, seconds: float = LONGEST) -> bool:
        """Say nothing for that long; False once the fault is over."""
        return not self._over.wait(seconds)

    def close(self, *, reset: bool = False) -> None:
        if reset:
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.open = False


Responder = Callable[[Connection], None]
# From the requests so far, the one to be answered last, to what is done about that.
Script = Callable[[Sequence[Request]], Responder]


@dataclass(slots=True)
class _Round:
    """What is played from one `play` to the next."""

    script: Script
    requests: list[Request] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


class FaultServer:
    """A context manager. Without `listening`, connections are refused until `listen`; the port stays its own."""

    def __init__(self, *, listening: bool = True, elsewhere: str = "", path: str = "") -> None:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self._round = _Round(in_turn(close()))
        self._elsewhere = elsewhere
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._threads = ThreadPoolExecutor(_CONNECTIONS + 1, "fault")
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}{path}"
        if listening:
            self.listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._closed = True
            self._round.over.set()
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        # So that the thread that accepts connections looks up.
        with suppress(OSError):
            socket.create_connection(self._listener.getsockname(), 1).close()
        self._threads.shutdown()
        self._listener.close()

    def listen(self) -> None:
        self._listener.listen(_CONNECTIONS)
        self._threads.submit(self._accept)

    def play(self, script: Script) -> None:
        """Answer by `script` from now on; responders under way are over, and the requests so far are forgotten."""
        with self._lock:
            self._round.over.set()
            self._round = _Round(script)

    @property
    def requests(self) -> list[Request]:
        """Those since the last `play`."""
        with self._lock:
            return list(self._round.requests)

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            with self._lock:
                if self._closed:  # by another thread since the loop looked
                    connection.close()  # type: ignore[unreachable]  # mypy knows of one thread only
                    return
                self._connections.add(connection)
                self._threads.submit(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(LONGEST)
            while head := _head(connection):
                with self._lock:
                    now = self._round
                    now.requests.append(Request(head))
                    responder = now.script(tuple(now.requests))
                answered = Connection(connection, now.over, self.url, self._elsewhere)
                responder(answered)
                if not answered.open:
                    break
        with self._lock:
            self._connections.discard(connection)


def _head(connection: socket.socket) -> bytes:
    """The next head of a request, or the beginning of what is none; nothing if the client has gone."""
    head = b""
    while not head.endswith(b"\r\n\r\n") and b"GET /".startswith(head[:5]) and len(head) < _HEAD_LIMIT:
        received = connection.recv(_HEAD_LIMIT)
        if not received:
            return b""
        head += received
    return head


def in_turn(*responders: Responder) -> Script:
    """The n-th request gets the n-th responder, and each one after the last the last."""
    return lambda requests: responders[min(len(requests), len(responders)) - 1]


def by_path(**scripts: Script) -> Script:
    """Each path, named by its last segment, has a script of its own."""

    def script(requests: Sequence[Request]) -> Responder:
        path = requests[-1].path
        return scripts[path.rsplit("/", 1)[1]]([request for request in requests if request.path == path])

    return script


def raw(*pieces: bytes, then: str = "close") -> Responder:
    """These bytes, then `close`, `reset`, `keep` (the connection stays) or `stall` (it stays, and is silent)."""

    def responder(connection: Connection) -> None:
        for piece in pieces:
            connection.send(piece)
        if then == "stall":
            connection.wait()
        if then != "keep":
            connection.close(reset=then == "reset")

    return responder


def close() -> Responder:
    return raw()


def stall() -> Responder:
    return raw(then="stall")


def trickle(beginning: bytes, drop: bytes, every: float) -> Responder:
    """`beginning`, then `drop` again and again."""

    def responder(connection: Connection) -> None:
        connection.send(beginning)
        while connection.wait(every):
            connection.send(drop)
        connection.close()

    return responder


def late(seconds: float, then: Responder) -> Responder:
    """`then`, but later."""

    def responder(connection: Connection) -> None:
        connection.wait(seconds)
        then(connection)

    return responder


def redirect(status: int, to: Callable[[Connection], str]) -> Responder:
    return lambda connection: connection.send(whole(b"", status, {"Location": to(connection)}))


def answer(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None, *, then: str = "keep"
) -> Responder:
    """A well-formed answer: bytes as they are, all else as JSON."""
    return raw(whole(body, status, headers), then=then)


def whole(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of an answer with its true length."""
    data = packed(body)
    length = {} if status == 204 else {"Content-Length": str(len(data))}
    return beginning(status, {"Content-Type": "application/json", **length, **(headers or {})}.items()) + data


def beginning(status: int, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """The head of an answer."""
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def packed(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()

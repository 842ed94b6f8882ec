"""How `linq-mcp http` listens, which requests it accepts, and the limits of callers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pydantic import SecretStr

from linq_mcp.settings import HTTP_TOKEN_VARIABLE, is_loopback

_HOST = r"(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
_AUTHORITY = re.compile(_HOST, re.IGNORECASE | re.ASCII)
_ORIGIN = re.compile(rf"(?P<scheme>[a-z][a-z0-9+.-]*)://{_HOST}", re.IGNORECASE | re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, kw_only=True)
class HttpLimits:
    """How much callers may use at once, and how many seconds they have for each part of a request.

    `connections` and `calls` are lowered if the process can't open enough files. `held_body_bytes` limits all
    incomplete bodies together, and `unread_bytes` all answers that clients have not read yet.
    """

    connections: int = 1024
    calls: int = 512
    held_body_bytes: int = 64 * 1024 * 1024
    unread_bytes: int = 64 * 1024 * 1024
    header_seconds: float = 10
    body_seconds: float = 15
    write_seconds: float = 30
    # How long calls in progress may continue after SIGTERM or SIGINT.
    stop_seconds: float = 10


@dataclass(frozen=True, kw_only=True)
class HttpConfig:
    """Where the server listens, and which requests it accepts.

    With `own_key`, calls use the server's own Linq key instead of each caller's, and callers have to send `token` as
    `Authorization: Bearer <token>` if there is one. With `audit`, the access log names callers and chats.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    path: str = "/mcp"
    allowed_hosts: Sequence[str] = ()
    allowed_origins: Sequence[str] = ()
    own_key: bool = False
    token: SecretStr | None = None
    audit: bool = False
    limits: HttpLimits = field(default_factory=HttpLimits)

    @property
    def paths(self) -> tuple[str, ...]:
        """`path`, and the same with or without a slash at its end."""
        return with_and_without_slash(self.path)

    @property
    def url_host(self) -> str:
        """`host` as it is written in a URL."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(f"http://{self.url_host}")


@dataclass(frozen=True)
class Address:
    """A host and port, for comparing. `port` is None if none was given."""

    host: str
    port: int | None


@dataclass(frozen=True)
class Origin:
    """A web page's origin, for comparing. `port` is the scheme's default if none was given."""

    scheme: str
    host: str
    port: int | None


def parse_address(text: str) -> Address | None:
    """`host` or `host:port`, without regard to case; None for anything else, such as one with user information."""
    found = _AUTHORITY.fullmatch(text)
    return Address(found["host"].lower(), int(found["port"]) if found["port"] else None) if found else None


def parse_origin(text: str) -> Origin | None:
    """`scheme://host` or `scheme://host:port`, without regard to case; None for anything else."""
    found = _ORIGIN.fullmatch(text)
    if not found:
        return None
    scheme = found["scheme"].lower()
    return Origin(scheme, found["host"].lower(), int(found["port"]) if found["port"] else _DEFAULT_PORTS.get(scheme))


def is_allowed_host(config: HttpConfig, text: str) -> bool:
    """Whether the `Host` header may be `text`. An allowed host without a port is allowed on every port."""
    asked = parse_address(text)
    if asked is None:
        return False
    allowed = [*config.allowed_hosts, *(_LOOPBACK_NAMES if config.is_local else ())]
    return any(one in (asked, replace(asked, port=None)) for one in map(parse_address, allowed))


def is_allowed_origin(config: HttpConfig, text: str) -> bool:
    """Whether the `Origin` header may be `text`."""
    asked = parse_origin(text)
    if asked is None:
        return False
    if config.is_local and asked.scheme == "http" and asked.host in _LOOPBACK_NAMES:
        return True
    return asked in map(parse_origin, config.allowed_origins)


def with_and_without_slash(path: str) -> tuple[str, ...]:
    """The path as it is, and its other form: some clients add a slash to every address, and others remove it."""
    bare = path.rstrip("/")
    return tuple(dict.fromkeys((path, bare or "/", f"{bare}/")))


def validate_http_config(config: HttpConfig) -> HttpConfig:
    """`config`, if the server can be started with it safely. Raises ValueError with the reason in one line."""
    for host in config.allowed_hosts:
        if parse_address(host) is None:
            raise ValueError(
                f"--allowed-host takes a name or address as clients call it, such as mcp.example.com, not {host!r}"
            )
    for origin in config.allowed_origins:
        if parse_origin(origin) is None:
            raise ValueError(f"--allowed-origin takes an origin such as https://app.example.com, not {origin!r}")
    if not config.is_local and not config.allowed_hosts:
        raise ValueError(f"on {config.host} the server needs --allowed-host, the name that clients call it by")
    if config.own_key and config.token is None and not config.is_local:
        raise ValueError(
            f"with the server's own key, everyone who reaches {config.host} could read the account: set "
            f"{HTTP_TOKEN_VARIABLE}, or listen on 127.0.0.1"
        )
    return config

"""Where the operator is: the time zone of every time that is shown or given, and the country of national numbers.

It comes from the settings. Whoever answers a request, or prints something, puts it in force with `in_region`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from linq_mcp.sanitize import clean, moment


@dataclass(frozen=True, slots=True)
class Region:
    """A time zone and a country, as two letters; without one, no national number is read."""

    time_zone: tzinfo = UTC
    country: str | None = None

    @property
    def zone_name(self) -> str:
        """What the time zone is called: `Europe/Berlin`, `UTC`, or `CET` where the computer knows no more."""
        name = str(self.time_zone)
        return datetime.now(self.time_zone).tzname() or name if name == "local" else name


DEFAULT_REGION = Region()
_in_force: ContextVar[Region] = ContextVar("region", default=DEFAULT_REGION)


def region() -> Region:
    """The region in force."""
    return _in_force.get()


@contextmanager
def in_region(region_: Region) -> Iterator[None]:
    """Put `region_` in force for this task and those that it starts."""
    token = _in_force.set(region_)
    try:
        yield
    finally:
        _in_force.reset(token)


def local_time(text: str) -> str:
    """An RFC 3339 time in the time zone in force, in whole seconds; anything else passes through, cleaned."""
    read = moment(text)
    return _written(read) if read else clean(text, 40)


def local_time_at(seconds: float) -> str:
    """A time in seconds since 1970, in the time zone in force, in whole seconds."""
    return _written(datetime.fromtimestamp(int(seconds), UTC))


def local_moment(text: str) -> datetime | None:
    """A time or date that somebody wrote; without an offset, it is of the time zone in force. None if it is neither.

    Of an hour that the end of summer time repeats, it is the first one; one that its beginning skips is the next one.
    """
    try:
        read = datetime.fromisoformat(text.strip().upper())
    except ValueError:
        return None
    if read.tzinfo is None:
        read = read.replace(tzinfo=region().time_zone)
    try:
        return read.astimezone(UTC)
    except OverflowError:
        return None


def _written(at: datetime) -> str:
    try:
        local = at.astimezone(region().time_zone)
        if (offset := local.utcoffset()) and offset.seconds % 60:
            # Before standard time, offsets had seconds, which RFC 3339 can't write.
            local = at.astimezone(UTC)
    except OverflowError:
        local = at.astimezone(UTC)
    return local.isoformat(timespec="seconds").replace("+00:00", "Z")

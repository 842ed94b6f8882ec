"""Times are shown in, and read as of, the time zone in force."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import anyio
import pytest

from linq_mcp.region import Region, in_region, local_moment, local_time, local_time_at, region

BERLIN = Region(ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("text", "time"),
    [
        pytest.param("2026-11-20T17:45:00Z", "2026-11-20T17:45:00Z", id="as it is"),
        pytest.param("2026-11-20T17:45:00.000Z", "2026-11-20T17:45:00Z", id="milliseconds"),
        pytest.param("2026-11-20T17:45:00.999999Z", "2026-11-20T17:45:00Z", id="fractions are cut, not rounded"),
        pytest.param("2026-11-20T17:45:00.123456789Z", "2026-11-20T17:45:00Z", id="nanoseconds"),
        pytest.param("2026-11-20T12:45:00.000-05:00", "2026-11-20T17:45:00Z", id="western offset"),
        pytest.param("2026-11-20T23:15:00+05:30", "2026-11-20T17:45:00Z", id="half-hour offset"),
        pytest.param("2026-11-20T17:45:00+00:00", "2026-11-20T17:45:00Z", id="no offset at all"),
        pytest.param("2026-11-20T17:45:00-00:00", "2026-11-20T17:45:00Z", id="negative zero"),
        pytest.param("2026-12-31T20:00:00-05:00", "2027-01-01T01:00:00Z", id="next year"),
        pytest.param("2026-03-01T01:00:00+02:00", "2026-02-28T23:00:00Z", id="the day before"),
        pytest.param("2028-03-01T01:00:00+02:00", "2028-02-29T23:00:00Z", id="leap day"),
        pytest.param("2026-11-20t17:45:00z", "2026-11-20T17:45:00Z", id="lower case"),
        pytest.param("2026-11-20 17:45:00Z", "2026-11-20T17:45:00Z", id="a space for the T"),
        pytest.param("0002-01-01T00:00:00.000Z", "0002-01-01T00:00:00Z", id="year 2"),
        pytest.param("9998-12-31T23:59:59.9Z", "9998-12-31T23:59:59Z", id="year 9998"),
        pytest.param("2026-11-20T17:45:00+23:59", "2026-11-19T17:46:00Z", id="widest offset"),
        pytest.param("2026-11-20T17:45:00." + "1" * 10_000 + "Z", "2026-11-20T17:45:00Z", id="10,000 digits"),
    ],
)
def test_times_become_utc_in_seconds(text: str, time: str) -> None:
    assert local_time(text) == time


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("yesterday", id="a word"),
        pytest.param("", id="empty"),
        pytest.param("2026-11-20", id="a date"),
        pytest.param("2026-11-20T17:45:00", id="no offset"),
        pytest.param("2026-13-40T17:45:00+01:00", id="no such day"),
        pytest.param("2026-02-29T17:45:00+01:00", id="no such leap day"),
        pytest.param("2026-11-20T23:59:60+00:00", id="leap second"),
        pytest.param("0001-01-01T00:00:00+05:00", id="before year 1"),
        pytest.param("0001-01-01T00:00:00Z", id="year 1"),
        pytest.param("9999-12-31T23:59:59.999Z", id="year 9999"),
        pytest.param("9999-12-31T23:59:59-05:00", id="after year 9999"),
        pytest.param("2026-11-20T17:45:00+24:00", id="absurd offset"),
        pytest.param("2026-11-20T17:45:00+99:99", id="more absurd offset"),
        pytest.param("1790000000", id="epoch seconds"),
        pytest.param("\u0662\u0660\u0662\u0666-11-20T17:45:00Z", id="other digits"),
    ],
)
def test_a_time_that_cannot_be_read_passes_through(text: str) -> None:
    assert local_time(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("soon\u202e\n\x1b[0m", "soon [0m", id="cleaned"),
        pytest.param("2026-11-20T17:45:00\ud83d", "2026-11-20T17:45:00", id="half an emoji"),
        pytest.param(" 2026-11-20T17:45:00Z ", "2026-11-20T17:45:00Z", id="spaces"),
        pytest.param("9" * 10_000, "9" * 39 + "…", id="10,000 characters"),
    ],
)
def test_a_time_that_cannot_be_read_is_cleaned(text: str, shown: str) -> None:
    assert local_time(text) == shown


@pytest.mark.parametrize(
    ("zone", "text", "time"),
    [
        ("America/New_York", "2026-11-20T17:45:00.5Z", "2026-11-20T12:45:00-05:00"),
        ("America/New_York", "2026-07-20T17:45:00Z", "2026-07-20T13:45:00-04:00"),
        ("Asia/Kolkata", "2026-11-20T23:45:00Z", "2026-11-21T05:15:00+05:30"),
        ("Europe/London", "2026-11-20T17:45:00Z", "2026-11-20T17:45:00Z"),
        ("Europe/London", "2026-07-20T17:45:00Z", "2026-07-20T18:45:00+01:00"),
        ("Pacific/Kiritimati", "2026-11-20T17:45:00+14:00", "2026-11-20T17:45:00+14:00"),
        ("Asia/Tokyo", "9999-12-31T23:00:00Z", "9999-12-31T23:00:00Z"),
        ("America/New_York", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("America/New_York", "1800-01-01T00:00:00Z", "1800-01-01T00:00:00Z"),
        ("Europe/Berlin", "soon", "soon"),
    ],
)
def test_times_are_shown_in_the_time_zone_in_force(zone: str, text: str, time: str) -> None:
    with in_region(Region(ZoneInfo(zone))):
        assert local_time(text) == time


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-20", "2026-11-19T23:00:00Z"),
        ("2026-11-20T09:00", "2026-11-20T08:00:00Z"),
        ("2026-11-20 09:00:00", "2026-11-20T08:00:00Z"),
        ("2026-11-20T09:00:00Z", "2026-11-20T09:00:00Z"),
        ("2026-11-20t09:00:00-05:00", "2026-11-20T14:00:00Z"),
        # The days on which summer time begins and ends have 23 and 25 hours.
        ("2026-03-29", "2026-03-28T23:00:00Z"),
        ("2026-03-30", "2026-03-29T22:00:00Z"),
        ("2026-10-25", "2026-10-24T22:00:00Z"),
        ("2026-10-26", "2026-10-25T23:00:00Z"),
        # An hour that does not exist, and one that comes twice.
        ("2026-03-29T02:30", "2026-03-29T01:30:00Z"),
        ("2026-10-25T02:30", "2026-10-25T00:30:00Z"),
        ("today", None),
        ("0001-01-01", None),
    ],
)
def test_a_time_without_an_offset_is_of_the_time_zone_in_force(text: str, utc: str | None) -> None:
    with in_region(BERLIN):
        read = local_moment(text)
    assert (read and local_time_at(read.timestamp())) == utc


async def test_a_region_is_in_force_for_its_own_task_alone() -> None:
    seen = []

    async def look() -> None:
        seen.append(region().zone_name)

    async with anyio.create_task_group() as tasks:
        with in_region(BERLIN):
            tasks.start_soon(look)
        tasks.start_soon(look)
    assert sorted(seen) == ["Europe/Berlin", "UTC"]
    assert local_time_at(datetime(2026, 11, 20, tzinfo=UTC).timestamp()) == "2026-11-20T00:00:00Z"

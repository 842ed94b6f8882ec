"""How many calls a caller may make: all at once, or spread over the minute, whatever others do."""

from __future__ import annotations

import pytest
from helpers.virtual_time import Clock

from linq_mcp.transports.http.call_limit import CallLimit


@pytest.mark.parametrize("per_minute", [1, 3, 7, 60, 600, 999])
def test_as_many_at_once_and_no_more(per_minute: int) -> None:
    """And the wait is until the next one is allowed."""
    clock = Clock()
    limit = CallLimit(per_minute, clock=clock)
    assert [limit.take("a") for _ in range(per_minute)] == [0] * per_minute
    wait = limit.take("a")
    assert wait == pytest.approx(60 / per_minute)
    clock.now += wait + 0.001
    assert limit.take("a") == 0
    assert limit.take("a") > 0


def test_a_refused_call_does_not_count() -> None:
    """Asking again and again does not lengthen the wait."""
    clock = Clock()
    limit = CallLimit(2, clock=clock)
    waits = [limit.take("a") for _ in range(10)]
    assert waits == [0, 0, *[pytest.approx(30)] * 8]
    clock.now += 30.001
    assert limit.take("a") == 0


def test_evenly_spread_calls_are_never_refused() -> None:
    """At exactly the rate that is allowed."""
    clock = Clock()
    limit = CallLimit(6, clock=clock)
    for _ in range(100):
        assert limit.take("a") == 0
        clock.now += 10


def test_callers_do_not_share() -> None:
    """One who has used up their calls takes none of another's."""
    limit = CallLimit(1, clock=Clock())
    assert [limit.take("a"), limit.take("b")] == [0, 0]
    assert limit.take("a") > 0


def test_whoever_has_not_called_for_a_minute_is_forgotten() -> None:
    """They may make all their calls again, so there is nothing to remember."""
    clock = Clock()
    limit = CallLimit(2, clock=clock)
    for number in range(1000):
        limit.take(str(number))
    clock.now += 61
    limit.take("a")
    assert list(limit._full_at) == ["a"]


def test_memory_is_bounded() -> None:
    """Those who called longest ago are forgotten first."""
    limit = CallLimit(1, clock=Clock(), most_callers=3)
    for caller in ("a", "b", "a", "c", "d"):
        limit.take(caller)
    assert list(limit._full_at) == ["a", "c", "d"]

"""What is tried again, how long it waits for that, and that a call ends with its deadline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest
from helpers.linq import AT_ONCE

from linq_mcp.api.retry import RetryPolicy, with_retries
from linq_mcp.errors import ApiConnectionError, ApiResponseError, ApiStatusError, LinqError


class Attempts:
    """Fails with `errors` in turn and then succeeds; counts how often it was made, and when."""

    def __init__(self, *errors: LinqError, then: Callable[[], Awaitable[None]] | None = None) -> None:
        self._errors = list(errors)
        self._then = then
        self.times: list[float] = []

    async def __call__(self) -> str:
        self.times.append(anyio.current_time())
        if self._errors:
            raise self._errors.pop(0)
        if self._then:
            await self._then()
        return "answer"


def status(code: int, linq_code: int = 0, retry_after: float | None = None) -> ApiStatusError:
    return ApiStatusError("", status=code, code=linq_code, retry_after=retry_after)


async def run(attempts: Attempts, *, policy: RetryPolicy = AT_ONCE, seconds: float = 10) -> str:
    return await with_retries(attempts, policy, deadline=anyio.current_time() + seconds)


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        *((status(code), True) for code in (408, 429, 500, 502, 503, 504)),
        *((status(code), False) for code in (400, 401, 402, 403, 404, 405, 409, 410, 413, 418, 422, 501, 505, 599)),
        (status(409, 2009), True),
        (status(404, 2007), True),
        (status(409, 2013), False),
        (status(409, 2007), False),
        (status(404, 2009), False),
        (status(404, 2001), False),
        (status(503, 4009), True),
        (status(400, 99_999), False),
        (ApiConnectionError("reset"), True),
        (ApiConnectionError("out of time", timed_out=True), True),
        (ApiConnectionError("a bad proxy", retryable=False), False),
        (ApiResponseError("not JSON"), False),
    ],
    ids=lambda value: f"{type(value).__name__} {vars(value)}" if isinstance(value, LinqError) else None,
)
async def test_what_is_tried_again(error: LinqError, retryable: bool) -> None:
    """What time may fix, a resource still being created included; never what the request or a setting causes."""
    attempts = Attempts(error)
    if retryable:
        assert await run(attempts) == "answer"
        assert len(attempts.times) == 2
    else:
        with pytest.raises(LinqError) as failed:
            await run(attempts)
        assert failed.value is error
        assert len(attempts.times) == 1


@pytest.mark.parametrize("most", [1, 2, 3, 5])
async def test_the_number_of_attempts_is_the_policys(most: int) -> None:
    attempts = Attempts(*[status(503)] * 9)
    with pytest.raises(ApiStatusError) as failed:
        await run(attempts, policy=RetryPolicy(attempts=most, backoff=0))
    assert len(attempts.times) == failed.value.attempts == most


def test_unless_told_otherwise_it_is_tried_three_times() -> None:
    assert RetryPolicy().attempts == 3


@pytest.mark.parametrize(("attempt", "longest"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 8.0), (60, 8.0)])
def test_the_wait_grows_with_each_attempt(attempt: int, longest: float) -> None:
    error = status(503)
    error.attempts = attempt
    waits = [RetryPolicy().wait(error) for _ in range(200)]
    assert all(0.2 <= wait <= longest for wait in waits)
    assert max(waits) > longest / 2
    assert len(set(waits)) > 100


@pytest.mark.parametrize("seconds", [0.0, 0.05, 60.0, 1e9])
def test_a_wait_that_linq_asks_for_is_neither_shortened_nor_lengthened(seconds: float) -> None:
    assert RetryPolicy().wait(status(429, retry_after=seconds)) == seconds


async def test_a_wait_that_fits_is_waited_in_full() -> None:
    attempts = Attempts(status(429, retry_after=0.1))
    await run(attempts)
    assert attempts.times[1] - attempts.times[0] >= 0.1


@pytest.mark.parametrize("retry_after", [9.1, 60, 1e9])
async def test_a_wait_that_does_not_fit_is_not_begun(retry_after: float) -> None:
    """A limited server is not asked before its time, and the caller learns of it at once."""
    attempts = Attempts(status(429, retry_after=retry_after))
    with anyio.fail_after(5), pytest.raises(ApiStatusError):
        await run(attempts, seconds=10)
    assert len(attempts.times) == 1


async def test_no_attempt_begins_without_time_for_it() -> None:
    attempts = Attempts(status(503))
    with pytest.raises(ApiStatusError):
        await run(attempts, policy=RetryPolicy(backoff=0, shortest_attempt=60), seconds=50)
    assert len(attempts.times) == 1


async def test_an_attempt_ends_with_the_deadline() -> None:
    with anyio.fail_after(5), pytest.raises(ApiConnectionError) as failed:
        await run(Attempts(then=anyio.sleep_forever), seconds=0.05)
    assert failed.value.timed_out
    assert failed.value.attempts == 1


async def test_an_error_before_the_deadline_says_more_than_the_deadline() -> None:
    """When a retry stalls, the reader gets the error answer that came before, with both attempts counted."""
    attempts = Attempts(status(503), then=anyio.sleep_forever)
    with anyio.fail_after(5), pytest.raises(ApiStatusError) as failed:
        await run(attempts, policy=RetryPolicy(backoff=0, shortest_attempt=0.01), seconds=0.1)
    assert (failed.value.status, failed.value.attempts) == (503, 2)


async def test_a_deadline_that_has_passed() -> None:
    with anyio.fail_after(5), pytest.raises(ApiConnectionError) as failed:
        await run(Attempts(then=anyio.sleep_forever), seconds=-1)
    assert failed.value.timed_out

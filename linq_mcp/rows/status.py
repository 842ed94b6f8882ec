"""Linq's statuses of chats and lines: read as they came, known or not, and where Linq explains the unhealthy ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from linq_mcp.sanitize import URL_LIMIT, clean_word, is_linq_url, safe_url

if TYPE_CHECKING:
    from linq_mcp.api.models import HealthStatus, Reputation

# Statuses are compared without regard to case: they came in lower case once.
HEALTHY = "healthy"
KNOWN = ("HEALTHY", "AT_RISK", "CRITICAL", "OPTED_OUT")
# Stands for a chat of which Linq reports no status.
UNREPORTED = "UNREPORTED"


def status_of(reported: HealthStatus | Reputation | None) -> str | None:
    """The status as Linq sent it."""
    return (clean_word(reported.status) or None) if reported else None


def unknown_words(asked: Iterable[str], known: Iterable[str]) -> str | None:
    """A note on the `asked` that are none of Linq's `known` values: Linq may have new ones, or these are typos."""
    known = list(known)
    folded = {value.casefold() for value in known}
    if unknown := sorted(value for value in asked if value.casefold() not in folded):
        return f"Unknown values: {', '.join(unknown)}. Known: {', '.join(known)}."
    return None


def is_unhealthy(status: str | None) -> bool:
    """Whether there is a status, and any other than HEALTHY."""
    return status is not None and status != "HEALTHY" and status.casefold() != HEALTHY


def guide_to(reports: Iterable[HealthStatus | Reputation | None]) -> dict[str, str]:
    """Where Linq explains each unhealthy status among `reports`: status -> URL."""
    guide: dict[str, str] = {}
    for reported in reports:
        status = status_of(reported)
        if not reported or not status or status in guide or not is_unhealthy(status):
            continue
        url = safe_url(reported.doc_url or "")
        # Only Linq explains its statuses, and a shortened address would lead nowhere.
        if is_linq_url(url) and len(url) <= URL_LIMIT:
            guide[status] = url
    return guide

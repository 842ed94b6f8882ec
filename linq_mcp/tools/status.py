"""Linq's statuses of chats and lines: read as they came, known or not, and where Linq explains the unhealthy ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from linq_mcp.text import URL_LIMIT, WORD_LIMIT, clean

if TYPE_CHECKING:
    from linq_mcp.api.models import HealthStatus, Reputation

# Statuses are compared without regard to case: they came in lower case once.
HEALTHY = "healthy"
KNOWN = frozenset({"HEALTHY", "AT_RISK", "CRITICAL", "OPTED_OUT"})


def status_of(reported: HealthStatus | Reputation | None) -> str | None:
    """The status as Linq sent it."""
    return clean(reported.status, WORD_LIMIT) or None if reported and reported.status else None


def is_unhealthy(status: str | None) -> bool:
    """Whether there is a status, and any other than HEALTHY."""
    return status is not None and status.casefold() != HEALTHY


def guide_to(reports: Iterable[HealthStatus | Reputation | None]) -> dict[str, str]:
    """Where Linq explains each unhealthy status among `reports`: status -> URL."""
    guide: dict[str, str] = {}
    for reported in reports:
        status = status_of(reported)
        url = clean(reported.doc_url or "", None) if reported else ""
        # An address that is cut leads nowhere.
        if status and is_unhealthy(status) and url.startswith("https://") and len(url) <= URL_LIMIT:
            guide.setdefault(status, url)
    return guide

"""What the answer of a tool that scans says about the scan: how much was read, whether that was all, and what next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from linq_mcp.tools.base.paging import join_notes, unreadable_note
from linq_mcp.tools.reading.scan import MOST_EMPTY_PAGES, Scan, Stop

if TYPE_CHECKING:
    from linq_mcp.tools.base.tool import Call


class ScanInfo(TypedDict):
    """How much was read. When that was not everything, `complete` is false, and `next_cursor` resumes from there."""

    scanned: int
    complete: bool
    next_cursor: NotRequired[str]
    note: NotRequired[str]


def scan_info(scan: Scan[Any], call: Call, fingerprint: str, *, limit_note: str, notes: list[str | None]) -> ScanInfo:
    """Describe a scan that has stopped; `limit_note` is for one that stopped because there was enough."""
    info: ScanInfo = {"scanned": scan.scanned, "complete": is_complete(scan)}
    if scan.resume is not None:
        info["next_cursor"] = str(replace(scan.resume, fingerprint=fingerprint))
    if note := join_notes(*stop_notes(scan, call, limit_note=limit_note), *notes):
        info["note"] = note
    return info


def is_complete(scan: Scan[Any]) -> bool:
    """Whether every entry of the list was read."""
    return scan.stop is Stop.END and not scan.unreadable


def stop_notes(scan: Scan[Any], call: Call, *, limit_note: str = "") -> list[str]:
    """Why the scan stopped, and what it had to leave out."""
    notes = [_stop_note(scan, call, limit_note)]
    if scan.unreadable:
        notes.append(unreadable_note(scan.unreadable))
    return notes


def _stop_note(scan: Scan[Any], call: Call, limit_note: str) -> str:
    match scan.stop:
        case Stop.ENOUGH:
            return limit_note if scan.resume is not None else ""
        case Stop.TIME:
            return "This call ran out of time; call again with next_cursor for the rest."
        case Stop.ERROR if scan.error:
            then = "" if scan.error.retryable else ", once this is fixed"
            return f"Stopped partway. Call again with next_cursor to continue{then}. {call.format_error(scan.error)}"
        case Stop.CURSOR_REFUSED:
            return "Stopped partway: Linq rejected its own cursor. Start again without cursor."
        case Stop.UNUSABLE_CURSOR:
            return "Linq gave a cursor that can't be sent again, so reading ends here; there is more."
        case Stop.REPEATED_CURSOR:
            return "Linq's cursors lead in a circle, so reading ends here; there may be more."
        case Stop.EMPTY_PAGES:
            return f"The last {MOST_EMPTY_PAGES} pages had nothing new; call again with next_cursor to go on anyway."
        case _:
            return ""

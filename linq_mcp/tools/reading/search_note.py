"""What an answer says about the words that were looked for, where they may have been meant in another way."""

from __future__ import annotations

from linq_mcp.search import SearchQuery

_NO_OPERATORS = (
    "`text` has no operators such as OR, |, or *: every word must be there, by itself or inside a longer one. Make one "
    "call for each alternative."
)
_ALL_WORDS = "Every word must be there; try fewer or shorter ones."


def search_note(text: SearchQuery | None, *, found: bool) -> str | None:
    """The note on `text`, by which something was `found` or not."""
    if text is None:
        return None
    if text.has_operator:
        return _NO_OPERATORS
    return _ALL_WORDS if len(text.wanted) > 1 and not found else None

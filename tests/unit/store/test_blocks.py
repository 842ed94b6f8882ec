"""Messages as they are kept."""

from __future__ import annotations

import pytest

from linq_mcp.api.models import Message
from linq_mcp.store.blocks import LARGEST, NEWEST, blocks_of


@pytest.mark.parametrize("length", [0, 900, 1024, 5_000])
def test_messages_of_any_length_come_back_as_they_were_kept(length: int) -> None:
    """They are decompressed in steps, which end anywhere in a message."""
    texts = [f"{number}\n{'é' * (length + number)}" for number in range(NEWEST + LARGEST + 1)]
    kept = [Message.model_validate({"id": text[:9], "parts": [{"type": "text", "value": text}]}) for text in texts]
    blocks = list(blocks_of(kept, lowest=3))
    assert [block.number for block in blocks] == [5, 4, 3]
    assert [message for block in blocks for message in block.messages()] == kept

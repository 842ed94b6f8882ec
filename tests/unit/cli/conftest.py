"""Commands in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers.command_line import Cli, command_line


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    with command_line(monkeypatch, capsys) as run:
        yield run

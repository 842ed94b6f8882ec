"""Leaves this folder alone where no slow test is asked for: importing the official SDK takes longer than most tests."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if config.option.markexpr == "not slow" else None

"""Garbage collection as a server needs it."""

from __future__ import annotations

import gc


def collect_rarely() -> None:
    """Leave out what has been imported so far, which is never freed, and look at the rest less often.

    A page consists of thousands of objects, which reference counting frees; collecting after every few hundred of them
    would only cost time.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)

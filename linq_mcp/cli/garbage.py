"""Garbage collection as a server needs it."""

from __future__ import annotations

import gc

# For one client, whose calls are few at a time.
ONE_CLIENT = (50_000, 20, 50)
# What is in use during a collection is looked at again only much later. With hundreds of calls at a time that is a lot.
MANY_CLIENTS = (5_000, 10, 5)


def collect_rarely(thresholds: tuple[int, int, int]) -> None:
    """Leave out what has been imported so far, which is never freed, and look at the rest less often.

    A page consists of thousands of objects, which reference counting frees; collecting after every few hundred of them
    would only cost time.
    """
    gc.freeze()
    gc.set_threshold(*thresholds)

"""Places keep callers from waiting for each other."""

from __future__ import annotations

import gc

import anyio
import anyio.lowlevel

from linq_mcp.tools.files.places import Places


async def test_nobody_waits_for_another_caller() -> None:
    """A caller who holds all places of theirs, and waits for more, leaves those of others free."""
    places = Places(each=2, in_all=4)
    held: list[str] = []

    async def hold(caller: str) -> None:
        async with places.held_by(caller):
            held.append(caller)
            await anyio.sleep_forever()

    async with anyio.create_task_group() as calls:
        for caller in ["a"] * 9 + ["b", "c", "c"]:
            calls.start_soon(hold, caller)
        await anyio.wait_all_tasks_blocked()
        # Two of c would be five in all.
        assert sorted(held) == ["a", "a", "b", "c"]
        calls.cancel_scope.cancel()
    gc.collect()
    assert dict(places._callers) == {}


async def test_a_place_is_free_again_after_its_block() -> None:
    places = Places(each=1, in_all=1)
    with anyio.fail_after(5):
        for caller in ("a", "a", "b"):
            async with places.held_by(caller):
                await anyio.lowlevel.checkpoint()

"""The virtual PBX costs nothing while nothing is due."""

from __future__ import annotations

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from vodiabot.sim.config import default
from vodiabot.testing.pbx import VirtualPbx
from vodiabot.testing.wire import Wire

from ..turns import Turns


async def test_what_happens_to_the_pbx_wakes_its_task_up_only_when_something_is_due(autojump_clock: MockClock) -> None:
    pbx, turns = VirtualPbx(default(), Wire()), Turns("VirtualPbx.run")
    phone = pbx.pbx.phone("46", answers_after=5.0)
    async with trio.open_nursery() as nursery:
        await nursery.start(pbx.run)
        trio.lowlevel.add_instrument(turns)
        for lever in (phone.plug_in, lambda now: pbx.pbx.call_in(now, "600", "46")):
            pbx.lever(lever)
            await wait_all_tasks_blocked()
        assert phone.state == "ringing"
        assert turns.taken <= 1  # its first sleep
        await trio.sleep(5.5)
        assert phone.state == "up"
        nursery.cancel_scope.cancel()

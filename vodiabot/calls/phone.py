"""Remote control of the user's own desk phone: no audio of ours takes part."""

from __future__ import annotations

from ..errors import CallEnded
from ..protocol import commands
from .control import CallControl, Outlet, takes_part
from .domain_call import DomainCall, _is_held, _is_talking


class Phone:
    """The phones of one extension of the bot, but for the bot itself. `call_id` is the `id` of one of `calls`.

    Every method returns when the PBX shows that it was done. Raises NotPermitted where the PBX refuses or nothing
    changes within 10 s, CallEnded where the call is gone, ConnectionLost where the socket dies.
    """

    def __init__(self, outlet: Outlet, control: CallControl) -> None:
        self._outlet = outlet
        self._control = control

    @property
    def extension(self) -> str:
        return self._outlet.user

    @property
    def calls(self) -> list[DomainCall]:
        """The calls of the extension that are not legs of the bot, oldest first. One that rings at the bot as well is a
        leg of the bot's until it is picked up elsewhere."""
        known = self._control.calls().values()
        return [self._handle(call.id) for call in known if takes_part(self.extension, call)]

    async def make_call(self, to: str) -> DomainCall | None:
        """The PBX rings the user's phone; when it is picked up, `to` is dialled from it. Returns when it rings; None
        where the PBX rings the bot, too: then it is among `calls` once a phone was picked up. (The bot lets such a call
        ring, whatever its routes say.)

        Guarded by `[limits]`: raises NotAllowed, and nothing was sent. NotPermitted: there is no phone, perhaps.
        """
        self._control.permits.check("dial")
        self._control.guard(to)
        made = await self._control.dial(self._outlet, to)
        return None if made is None else DomainCall(made, self._control, self._outlet)

    async def accept(self, call_id: str) -> None:
        """Pick up at the desk phone. `call_id` may also be the `id` of a Call that rings at the bot."""
        if call_id in self._control.calls():
            await self._handle(call_id).accept()
        else:
            command = commands.PhoneAccept(id=call_id)
            await self._control.act(self._outlet, call_id, "accept-call", command, _is_talking)

    async def hold(self, call_id: str) -> None:
        """Hold the other side; if the call is on hold already, it stays so."""
        await self._handle(call_id).hold()

    async def resume(self, call_id: str) -> None:
        """Take the other side back: `hold-call` holds and takes back by turns [guess]."""
        handle = self._handle(call_id)
        call = handle._living()
        if _is_held(call):
            await handle._toggle_hold(call, lambda entry: bool(entry.state) and not _is_held(entry))

    async def clear(self, call_id: str) -> None:
        """Hang up, or refuse a call that rings. Returns normally if it is over."""
        try:
            await self._handle(call_id).hangup()
        except CallEnded:
            return

    def _handle(self, call_id: str) -> DomainCall:
        call = self._control.calls().get(call_id)
        if call is None:
            raise CallEnded(call_id, "it is none of the desk phone's calls, or over")
        return DomainCall(call, self._control, self._outlet)

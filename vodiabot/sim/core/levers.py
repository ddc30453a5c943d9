"""What tests and operators do to the PBX besides its clients: each lever takes `now` and gives effects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import calls, ending, midcall, offers, push, transfer
from . import effects as e
from .effects import Effect
from .logins import Logins
from .model import Faults, LegState
from .phones import Phone
from .world import World


class Levers:
    """Base of `Pbx`."""

    _world: World
    _logins: Logins
    _phones: int

    def _run(self, now: float, work: Callable[[], None]) -> list[Effect]:
        raise NotImplementedError

    def _closed(self, socket: str) -> None:
        raise NotImplementedError

    def refuse_logins(self, count: int) -> None:
        """So many logins to come are refused."""
        self._logins.refuse_next = count

    def lose_registration(self, now: float, user: str) -> list[Effect]:
        """Forget that the extension is registered, without a word to it. Raises KeyError for an unknown one."""

        account = self._world.accounts[user]

        def work() -> None:
            for socket in self._world.sockets.values():
                if socket.user == user and not socket.virtual:
                    socket.registered_until = None
            push.account_changed(self._world, account, without=user)

        return self._run(now, work)

    def set_dnd(self, now: float, user: str, on: bool) -> list[Effect]:
        """Do not disturb: calls to the extension get 486. Raises KeyError."""
        account = self._world.accounts[user]

        def work() -> None:
            account.dnd = on
            push.account_changed(self._world, account)

        return self._run(now, work)

    def permit_control(self, user: str, allowed: bool) -> None:
        """Whether it may act on calls that it takes no part in, as `manages_calls` says at first. Raises KeyError."""
        self._world.accounts[user].may_control = allowed

    def drop_socket(self, now: float, socket: str) -> list[Effect]:
        """Close a client's socket."""

        def work() -> None:
            self._world.emit(e.CloseSocket(socket, "dropped"))
            self._closed(socket)

        return self._run(now, work)

    def call_in(self, now: float, number: str, user: str) -> list[Effect]:
        """A service number calls an extension. Raises KeyError for an unknown number."""
        service = self._world.services[number]

        def work() -> None:
            if calls.call_in(self._world, service, user) is None:
                self._world.log("warning", "nobody to call", user=user)

        return self._run(now, work)

    def name_caller(self, now: float, call_id: str, name: str, number: str) -> list[Effect]:
        """Tell a client a better name for the other side of its leg."""

        def work() -> None:
            leg = self._world.by_call_id[call_id]
            self._world.send(leg, {"action": "callerid", "callid": leg.call_id, "name": name, "number": number})

        return self._run(now, work)

    def hang_up(self, now: float, call_id: str) -> list[Effect]:
        """End a leg, and its call, from the PBX's side. Raises KeyError."""
        leg = self._world.by_call_id[call_id]

        def work() -> None:
            if leg in leg.call.ringing:
                ending.drop_ringing(self._world, leg, tell=True)
                if not leg.call.ringing:
                    ending.fail(self._world, leg.call, 480)
            elif not leg.ended:
                ending.hang_up(self._world, leg)

        return self._run(now, work)

    def reoffer(self, now: float, call_id: str, *, new_transport: bool = False) -> list[Effect]:
        """Offer anew in an answered call; nothing if an offer is out. Raises KeyError."""
        leg = self._world.by_call_id[call_id]

        def work() -> None:
            if leg.state is LegState.UP:
                offers.offer_again(self._world, leg, new_transport=new_transport)
                ending.watch_media(self._world, leg)

        return self._run(now, work)

    def press(self, now: float, call_id: str, digits: str) -> list[Effect]:
        """A client hears these digits, as if the other end had pressed them. Raises KeyError."""
        leg = self._world.by_call_id[call_id]
        return self._run(now, lambda: None if leg.ended else self._world.emit(e.PressDigits(leg.id, digits)))

    def spoil(
        self, now: float, call_id: str, *, loss: float = 0.0, jitter_ms: float = 0.0, seed: int = 0
    ) -> list[Effect]:
        """Lose so many percent of the packets that a client is sent, and delay each by up to so long, from now on,
        whatever its service has. Raises KeyError."""
        leg = self._world.by_call_id[call_id]

        def work() -> None:
            leg.wanted_faults = Faults(loss, jitter_ms, seed)
            self._world.feed(leg.call)

        return self._run(now, work)

    def forget_call(self, now: float, call_id: str) -> list[Effect]:
        """A leg's call is gone without a word to anybody, as after a restart of the PBX. Raises KeyError."""
        call = self._world.by_call_id[call_id].call

        def work() -> None:
            for leg in (*call.legs, *call.ringing):
                leg.socket = None
            ending.end(self._world, call)

        return self._run(now, work)

    def park(self, now: float, call_id: str) -> list[Effect]:
        """The other side of this leg waits with music, and is in the orbit's list; the leg itself ends.

        Raises KeyError, and ValueError if there is nobody to be parked."""
        leg = self._world.by_call_id[call_id]
        if leg.call.other(leg) is None:
            raise ValueError(f"nobody is at the other end of {call_id}")
        return self._run(now, lambda: transfer.park(self._world, leg))

    def push_chat(self, now: float, source: str, user: str, message: str) -> list[Effect]:
        """A text message to an extension."""
        return self._run(now, lambda: midcall.deliver(self._world, source, user, message))

    def push_frame(self, now: float, user: str, frame: dict[str, Any]) -> list[Effect]:
        """Any frame at all to each client of an extension."""

        def work() -> None:
            for socket in list(self._world.sockets.values()):
                if socket.user == user:
                    self._world.emit(e.SendFrame(socket.id, frame))

        return self._run(now, work)

    def phone(self, user: str, *, answers_after: float | None = None) -> Phone:
        """A phone of the PBX's own for an extension, to be plugged in. Raises KeyError for an unknown one."""
        self._phones += 1
        name = f"phone {self._phones} of {self._world.accounts[user].user}"
        return Phone(self._world, self._run, name, user, answers_after)

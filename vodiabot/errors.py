"""Every public exception.

Two families say who erred: `PbxError` is a mistake of the PBX (or of the network), `UsageError` one of ours, that is of
the code or the configuration on this side. Each "Raises" elsewhere names one of these and nothing foreign.
"""

from __future__ import annotations

from dataclasses import dataclass


class VodiabotError(Exception):
    """The root: `except VodiabotError` catches whatever this package raises on purpose."""


class PbxError(VodiabotError):
    """The other side, or the way to it, did something wrong."""


class UsageError(VodiabotError):
    """This side did something wrong: fix the code or the configuration."""


# --- configuration ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a configuration file."""

    file: str
    line: int | None
    """1-based; None where the key is missing from the file as a whole."""
    key: str
    """Dotted path, e.g. `route[2].plugin`."""
    message: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


class ConfigError(UsageError):
    """The configuration is wrong; `problems` has every mistake at once. Nothing was started."""

    def __init__(self, problems: list[Problem], readable: object | None = None) -> None:
        self.problems = problems
        self.readable = readable
        """A Config of what is right of it, as far as plugins and their sections go; None if they can't be told."""
        super().__init__("\n".join(str(p) for p in problems))


# --- frames ----------------------------------------------------------------------------------------------------------


class FrameError(PbxError):
    """A frame that can't be understood; it was dropped and the session goes on."""

    def __init__(self, frame: str, field: str, message: str) -> None:
        self.frame = frame
        """The kind of frame, e.g. `sdp` or `call-state`."""
        self.field = field
        super().__init__(f"{frame}: {field}: {message}" if field else f"{frame}: {message}")


class IllegalMove(UsageError):
    """A command that the call's state does not allow, e.g. `resume()` of a call that is not held. Nothing changed."""


# --- session ---------------------------------------------------------------------------------------------------------


class LoginRefused(PbxError):
    """The PBX refused the credentials. Trying again soon is useless: the configuration has to change."""


class ConnectionLost(PbxError):
    """The socket died or was not up. The command was perhaps not carried out and is never sent again by itself."""


# --- calls -----------------------------------------------------------------------------------------------------------


class CallEnded(VodiabotError):
    """The call is over, so the method makes no sense any more. In a handler let it fly: it is a normal end."""

    def __init__(self, call_id: str = "", reason: str = "") -> None:
        self.call_id = call_id
        self.reason = reason
        super().__init__(f"the call has ended ({reason or 'no reason told'})")


class DialError(PbxError):
    """The call that was placed was not answered; its subclasses say why."""

    code: int | None = None
    """The SIP status code, ≥ 400, that says the same; None if there is none."""

    def __init__(self, message: str, code: int | None = None) -> None:
        if code is not None:
            self.code = code
        super().__init__(message)


class Busy(DialError):
    """The other side is busy (486, 600)."""

    code = 486


class NoAnswer(DialError):
    """Nobody answered in time (408, 480 and the like, or our own time-out)."""

    code = 480

    def __init__(self, message: str, code: int | None = None, *, timed_out: bool = False) -> None:
        self.timed_out = timed_out
        """It rang for as long as we wanted to wait; else the PBX said so, perhaps at once: nobody is registered."""
        super().__init__(message, code)


class Rejected(DialError):
    """The PBX or the other side refused."""

    code: int

    def __init__(self, code: int, reason: str = "") -> None:
        self.reason = reason
        super().__init__(f"rejected with {code}{f' ({reason})' if reason else ''}", code)


class DialFailed(DialError):
    """The call could not be set up for another reason, such as audio that did not come up; the message says which."""


class NotAccepted(DialError):
    """The one who was consulted answered, but did not press the key that accepts, or hung up before."""


class NotAllowed(UsageError):
    """`[limits]` does not allow this number, or the dials of this minute are used up. Nothing was sent."""


class NotPermitted(PbxError):
    """The PBX does not let this extension do that to somebody else's call."""


class TransferFailed(PbxError):
    """The PBX refused the transfer; the caller is still on the line."""

    def __init__(self, to: str, code: int | None = None) -> None:
        self.to = to
        self.code = code
        super().__init__(f"transfer to {to} failed" + (f" with {code}" if code else ""))


# --- media -----------------------------------------------------------------------------------------------------------


class MediaError(VodiabotError):
    """The audio could not be set up or went away."""


class SdpError(MediaError, PbxError):
    """A session description that can't be used; the message says which line and why."""


class SourceError(MediaError, UsageError):
    """A file or stream that can't be played or written."""


# --- the command line ------------------------------------------------------------------------------------------------


class NotRunning(VodiabotError):
    """There is no running bot to ask (with this `state_dir`)."""


class AlreadyRunning(VodiabotError):
    """Another bot runs with this `state_dir`: wait until it has left, or give this one a `state_dir` of its own."""


class ListenError(VodiabotError):
    """An address can't be listened on: another process has it, or this machine has it not (yet). Try again later, or
    name another in the configuration."""


# --- plugins ---------------------------------------------------------------------------------------------------------


class PluginError(UsageError):
    """A plugin that can't be loaded; the message names the plugin and what is wrong."""


class PluginFailed(VodiabotError):
    """A plugin with `critical = true` could not be set up, so the bot does not start; the message says why."""


class StoreError(VodiabotError):
    """A store's file can't be opened, read or written (disk full, read-only, damaged, of another version). Nothing was
    changed; the message names the file."""

    def __init__(self, file: str, message: str) -> None:
        self.file = file
        super().__init__(f"{file}: {message}")


class AsyncioCancelled(VodiabotError):
    """What `bot.asyncio` ran was cancelled on the asyncio side, by the library or because its loop has ended."""


# --- speech ----------------------------------------------------------------------------------------------------------


class SpeechUnavailable(UsageError):
    """There is no speech provider to speak a text with; nothing was said and the call goes on. Play a file instead."""


class SpeechFailed(VodiabotError):
    """A text could not be spoken: the provider's process failed, or took too long. The call goes on."""

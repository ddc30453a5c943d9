"""An author's project, made for a test of the kit: a plugin, and tests of it that pytest runs."""

from __future__ import annotations

MENU = '''
from vodiabot import Call, hookimpl


@hookimpl
async def answer_call(call: Call) -> None:
    await call.answer()
    match await call.gather(max_digits=1, timeout=5, prompt="Welcome. Press 1 for sales."):
        case "1":
            await call.transfer("500")
        case "2":
            await call.hold()
            await call.sleep(300)
            await call.resume()
            await call.say("Still there?")
        case "3":
            raise ValueError("three")
        case _:
            await call.say("Goodbye.")
    await call.hangup()
'''
"""`menu.py`"""

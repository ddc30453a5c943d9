"""The simulated PBX to try and test against.

`config` is its sim.toml, `core` the PBX itself, pure, `server` its shell of HTTP, WebSocket and audio, `static` the
softphone page. It is written from the protocol's description and shares no code with the bot: the same misreading on
both sides would pass every test.
"""

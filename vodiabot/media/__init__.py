"""The audio of calls: an asyncio loop in a thread of its own, with aiortc's ICE, DTLS and SRTP.

`bridge` is the only file that touches both loops; everything else runs on the media loop or is pure.
"""

"""What travels between a bot and the PBX, as pure data and pure state: no trio, no asyncio, no socket, no
clock."""

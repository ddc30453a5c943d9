"""The page that a supervisor looks at: who is on which call, and how the bot and its plugins are. Read only."""

from .server import serve_console

__all__ = ["serve_console"]

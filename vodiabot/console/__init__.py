"""The page that a supervisor looks at (who is on which call, how the bot and its plugins are; read only), what machines
ask a bot, and the web server under both."""

from .ops import serve_ops
from .server import serve_console

__all__ = ["serve_console", "serve_ops"]

"""What is wrong with a shipped plugin's section, as `vodiabot check` tells it."""

from __future__ import annotations

from pathlib import Path

from vodiabot.config import parse
from vodiabot.plugins import load_plugins, unload

SHIPPED = Path(__file__).parent.parent.parent / "plugins"

PBX = '[pbx]\nurl = "wss://pbx.example.com"\ndomain = "example.com"\n[[extension]]\nuser = "45"\npassword = "x"\n'


def mistakes_of(plugin: str, section: str) -> str:
    """A line each; nothing if all is right."""
    text = f'{PBX}[plugins]\nenabled = ["{plugin}"]\n[plugin.{plugin}]\n{section}\n'
    loaded, problems = load_plugins(parse(text), shipped=SHIPPED)
    for one in loaded:
        unload(one)
    return "\n".join(map(str, problems))

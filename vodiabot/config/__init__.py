"""bot.toml → typed Config; an error names file, line and key."""

from .lines import dotted, line_index
from .loader import from_overrides, load, parse, state_dir_of
from .model import Config, Secret
from .option_types import SoundFile, SpokenText, Voice
from .overrides import Overrides

__all__ = [
    "Config",
    "Overrides",
    "Secret",
    "SoundFile",
    "SpokenText",
    "Voice",
    "dotted",
    "from_overrides",
    "line_index",
    "load",
    "parse",
    "state_dir_of",
]

"""Plugins: what they may implement (`hookspecs`), how they are found and checked (`loader`), how events reach
them (`dispatch`), which one answers a call (`routes`)."""

from .describe import describe
from .dispatch import PluginHost
from .guard import current_plugin
from .hookspecs import HOOKS, hookimpl
from .loader import load_plugins, outdated, problem_at, unload, unrouted
from .model import LoadedPlugin, Option, PluginInfo, PluginProblem, PluginState
from .routes import choose as choose_route
from .watchdog import Watchdog

__all__ = [
    "HOOKS",
    "LoadedPlugin",
    "Option",
    "PluginHost",
    "PluginInfo",
    "PluginProblem",
    "PluginState",
    "Watchdog",
    "choose_route",
    "current_plugin",
    "describe",
    "hookimpl",
    "load_plugins",
    "outdated",
    "problem_at",
    "unload",
    "unrouted",
]

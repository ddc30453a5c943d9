"""What a plugin's module declares beside its hooks, and the keys of its section that are the engine's."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..capabilities import ALLOW, mistakes
from .validation import Fault

CRITICAL = "critical"
"""The bot does not start without this plugin."""

ENGINES_KEYS = (ALLOW, CRITICAL)
"""Of `[plugin.NAME]`; they never reach the plugin's own model."""


def declared_wrong(namespace: Any) -> Iterator[Fault]:
    """What is wrong with CAPABILITIES, STORE_VERSION and migrate_store."""
    capabilities = getattr(namespace, "CAPABILITIES", None)
    if capabilities is not None:
        yield from (Fault(None, "CAPABILITIES", message) for message in mistakes(capabilities))
    version = getattr(namespace, "STORE_VERSION", 1)
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version < 2**31:
        yield Fault(None, "STORE_VERSION", "must be a whole number, at least 1")
    yield from _migration_wrong(getattr(namespace, "migrate_store", None))


def _migration_wrong(migrate: Any) -> Iterator[Fault]:
    if migrate is None:
        return
    line = getattr(getattr(migrate, "__code__", None), "co_firstlineno", None)
    if not callable(migrate):
        yield Fault(line, "migrate_store", "must be a function: def migrate_store(store, version)")
    elif inspect.iscoroutinefunction(migrate) or inspect.isgeneratorfunction(migrate):
        yield Fault(line, "migrate_store", "must be a plain function, not async: it runs inside one transaction")
    elif not _takes_two(migrate):
        yield Fault(line, "migrate_store", "must take two arguments: def migrate_store(store, version)")


def _takes_two(function: Any) -> bool:
    try:
        inspect.signature(function).bind(None, 1)
    except TypeError:
        return False
    return True


def without_engines(section: Mapping[str, Any]) -> dict[str, Any]:
    """A section as the plugin's model gets it."""
    return {key: value for key, value in section.items() if key not in ENGINES_KEYS}


def engines_wrong(section: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and message of what is wrong with the engine's keys."""
    if ALLOW in section:
        yield from ((ALLOW, message) for message in mistakes(section[ALLOW]))
    if not isinstance(section.get(CRITICAL, False), bool):
        yield CRITICAL, "must be true or false"


def model_wrong(names: Iterable[str]) -> Iterator[Fault]:
    """Options of a plugin's model that could never be set."""
    for name in names:
        if name in ENGINES_KEYS:
            yield Fault(None, "Config", f'an option can\'t have the name "{name}": it is the engine\'s')


def is_critical(section: Mapping[str, Any]) -> bool:
    """Whether the operator says that the bot must not start without this plugin."""
    return section.get(CRITICAL) is True

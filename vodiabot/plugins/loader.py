"""`[plugins]` of bot.toml → plugins that are ready to run, and all that is wrong with the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..config.model import Config, Where
from ..errors import Problem
from .ctrl_c import ctrl_c_raises
from .declared import declared_wrong, engines_wrong, is_critical, model_wrong, without_engines
from .discovery import Found, NotFound, Places
from .fingerprint import fingerprint
from .importing import Imported, ImportFailed, file_of, forget, import_plugin, in_a_line
from .lifespan import lifespan_of
from .model import LoadedPlugin, PluginProblem
from .secret_values import secrets_in
from .settings import ModelError, fields_of, is_model, read
from .validation import implementations_of


def load_plugins(
    config: Config, *, shipped: Path | None = None, keep: Iterable[LoadedPlugin] = ()
) -> tuple[list[LoadedPlugin], list[PluginProblem]]:
    """Import and check what `enabled` names, and nothing else, in that order. Never raises for a plugin's
    mistake.

    `shipped`: the folder of the plugins that come with vodiabot; it is searched last. A plugin with a problem
    is left out, the others are returned; routes that name a plugin that can't answer calls are problems, too.
    `keep`: plugins that run; one whose section and code have not changed is returned as it is. A secret that has
    changed behind the section's `{ file = … }` or `{ env = … }` is a change of the section.
    """
    loader = _Loader(config, Places(config.plugins.path, shipped), {plugin.name: plugin for plugin in keep})
    loaded = [p for name in dict.fromkeys(config.plugins.enabled) if (p := loader.load(name)) is not None]
    loader.problems += _unknown_sections(config, loader.places)
    loader.problems += _routes_to_nowhere(config, loaded)
    return loaded, loader.problems


def unload(plugin: LoadedPlugin) -> None:
    """Forget a plugin's modules, so that its files can be imported afresh. An installed one stays
    imported."""
    for name in plugin.modules:
        forget(name)


def outdated(config: Config, plugins: Iterable[LoadedPlugin], *, shipped: Path | None = None) -> list[str]:
    """Installed plugins that were updated since they were imported: Python can't import them afresh."""
    places = Places(config.plugins.path, shipped)
    return [plugin.name for plugin in plugins if not plugin.modules and _has_moved(places, plugin)]


def _has_moved(places: Places, plugin: LoadedPlugin) -> bool:
    try:
        return fingerprint(places.find(plugin.name)) != plugin.fingerprint
    except (NotFound, OSError):
        return True


class _Loader:
    """Gathers problems while it loads one plugin after the other."""

    def __init__(self, config: Config, places: Places, keep: Mapping[str, LoadedPlugin]) -> None:
        self._keep = keep
        self.problems: list[PluginProblem] = []
        self.places = places
        self._config = config
        self._base = Path(config.where.file).absolute().parent

    def load(self, name: str) -> LoadedPlugin | None:
        """The plugin, or None and more problems."""
        try:
            found = self.places.find(name)
            mark = fingerprint(found)  # before the import: what changes in between is loaded again, at worst
            kept = self._keep.get(name)
            if kept is not None and not kept.modules and found.path is None:
                mark = kept.fingerprint  # it can't be imported afresh
            if kept is not None and kept.fingerprint == mark and kept.section == self._config.plugin.get(name, {}):
                secrets = self._secrets_now(kept)
                if secrets is None or secrets == kept.secrets:
                    return kept
            imported = import_plugin(found)
        except NotFound as exc:
            self._blame(name, problem_at(self._config.where, _enabled_key(self._config, name), str(exc)))
            return None
        except ImportFailed as exc:
            self._blame(name, Problem(exc.file, exc.line, "", exc.message))
            return None
        except OSError as exc:
            self._blame(name, Problem(found.origin, None, "", f"can't be read: {exc.strerror or exc}"))
            return None
        plugin = self._looked_at(found, imported, mark)
        if plugin is None:
            forget(imported.private_name)
        return plugin

    def _looked_at(self, found: Found, imported: Imported, mark: str) -> LoadedPlugin | None:
        """Looking at it runs code of its own, too: a module's `__getattr__`, a metaclass, a signature that is none."""
        try:
            return self._checked(found, imported, mark)
        except BaseException as exc:
            if isinstance(exc, KeyboardInterrupt) and ctrl_c_raises():
                raise
            why = f"it can't be looked at: {in_a_line(exc)}"
            self._blame(found.name, Problem(str(found.path or found.origin), None, "", why))
            return None

    def _secrets_now(self, kept: LoadedPlugin) -> tuple[str, ...] | None:
        """Of a plugin whose section is as it was; None, and more problems, if they can't be had any more."""
        before = len(self.problems)
        settings = self._settings(kept.name, kept.namespace, getattr(kept.namespace, "Config", None))
        return None if len(self.problems) > before else _secrets(settings)

    def _checked(self, found: Found, imported: Imported, mark: str) -> LoadedPlugin | None:
        before = len(self.problems)
        section = self._config.plugin.get(found.name, {})
        namespace = imported.namespace
        model = getattr(namespace, "Config", None)
        hooks, faults = implementations_of(namespace, has_config=model is not None)
        lifespan, mistakes = lifespan_of(namespace, has_config=model is not None)
        for fault in (*faults, *mistakes, *declared_wrong(namespace)):
            self._blame(found.name, Problem(file_of(namespace), fault.line, fault.key, fault.message))
        settings = self._settings(found.name, namespace, model)
        if len(self.problems) > before:
            return None
        return LoadedPlugin(
            name=found.name,
            namespace=namespace,
            implementations=MappingProxyType(hooks),
            config=settings,
            version=found.version or str(getattr(namespace, "__version__", "")),
            origin=found.origin,
            lifespan=lifespan,
            critical=is_critical(section),
            section=section,
            secrets=_secrets(settings),
            fingerprint=mark,
            modules=(imported.private_name,) if imported.private_name else (),
        )

    def _settings(self, name: str, namespace: Any, model: Any) -> Any:
        """An instance of the plugin's model; None if it has none, or with problems."""
        section = without_engines(self._config.plugin.get(name, {}))
        for key, message in engines_wrong(self._config.plugin.get(name, {})):
            self._blame(name, problem_at(self._config.where, f"plugin.{name}.{key}", message))
        key = f"plugin.{name}"
        if model is None:
            if section:
                message = "it has no options, so it can't have a section"
                self._blame(name, problem_at(self._config.where, key, message))
            return None
        if not is_model(model):
            message = "it must be a dataclass or a msgspec.Struct"
            self._blame(name, Problem(file_of(namespace), None, "Config", message))
            return None
        try:
            for fault in model_wrong(field.name for field in fields_of(model)):
                self._blame(name, Problem(file_of(namespace), fault.line, fault.key, fault.message))
            settings, flaws = read(section, model, self._base)
        except ModelError as exc:
            self._blame(name, Problem(file_of(namespace), None, "Config", str(exc)))
            return None
        for flaw in flaws:
            full = f"{key}.{flaw.key}" if flaw.key else key
            self._blame(name, problem_at(self._config.where, full, flaw.message))
        return settings

    def _blame(self, name: str, problem: Problem) -> None:
        self.problems.append(PluginProblem(name, problem))


def _secrets(settings: Any) -> tuple[str, ...]:
    return tuple(sorted(set(secrets_in(settings))))


def problem_at(where: Where, key: str, message: str) -> Problem:
    """At the line of a key, or of the nearest table around it."""
    return Problem(where.file, _line_of(where, key), key, message)


def _line_of(where: Where, key: str) -> int | None:
    """The line of a key, or of the nearest table around it."""
    while key:
        if key in where.lines:
            return where.lines[key]
        key = key[: max(key.rfind("."), key.rfind("["), 0)]
    return None


def _enabled_key(config: Config, name: str) -> str:
    return f"plugins.enabled[{config.plugins.enabled.index(name)}]"


def _unknown_sections(config: Config, places: Places) -> Iterator[PluginProblem]:
    """A section of a plugin that is merely not enabled is fine; one of a plugin that nobody knows is a
    slip."""
    sections = [name for name in config.plugin if name not in config.plugins.enabled]
    known = places.names() if sections else set()
    for name in sections:
        if name not in known:
            message = f'there is no plugin "{name}"{places.suggestion(name)}'
            yield PluginProblem(name, problem_at(config.where, f"plugin.{name}", message), left_out=False)


def _routes_to_nowhere(config: Config, loaded: list[LoadedPlugin]) -> Iterator[PluginProblem]:
    """Routes to a plugin that doesn't answer calls; the configuration room sees to it that it is enabled."""
    deaf = {plugin.name for plugin in loaded if "answer_call" not in plugin.implementations}
    for index, route in enumerate(config.routes):
        if route.plugin in deaf:
            message = f'"{route.plugin}" does not answer calls: it has no answer_call'
            problem = problem_at(config.where, f"route[{index}].plugin", message)
            yield PluginProblem(route.plugin, problem, left_out=False)


def unrouted(config: Config, loaded: Iterable[LoadedPlugin]) -> list[Problem]:
    """Plugins that answer calls and get none; no mistake, as one may do other things, too."""
    routed = {route.plugin for route in config.routes}
    idle = [plugin.name for plugin in loaded if "answer_call" in plugin.implementations and plugin.name not in routed]
    message = '"{}" answers calls, but no [[route]] leads to it'
    return [problem_at(config.where, _enabled_key(config, name), message.format(name)) for name in idle]

"""`python -m tests.fuzz TARGET [--seconds N]`: a search guided by coverage. Needs `pip install atheris`.

What it finds is written to `tests/fuzz/found/TARGET/`, and is a test from then on.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import pkgutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

NAMES = ("codec", "dialog", "sdp", "stream", "reports", "dtmf", "config", "sim_config")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=NAMES)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is missing: pip install atheris")
    with atheris.instrument_imports(include=["vodiabot.protocol", "vodiabot.media", "vodiabot.config", "vodiabot.sim"]):
        from . import targets
    target = targets.TARGETS[options.target]
    _import_all(target.watched)
    found = targets.FOUND / options.target
    found.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(target.seeds):
            (Path(corpus) / f"seed{number}").write_bytes(seed)
        arguments = [f"-max_total_time={options.seconds}", f"-artifact_prefix={found}/", "-max_len=4096", "-timeout=10"]
        atheris.Setup([sys.argv[0], *arguments, corpus], lambda data: _kept(target, found, data))
        atheris.Fuzz()


def _kept(target: Callable[[bytes], None], found: Path, data: bytes) -> None:
    """atheris itself keeps only what kills the process."""
    try:
        target(data)
    except Exception:
        (found / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
        raise


def _import_all(names: tuple[str, ...]) -> None:
    for name in names:
        module = importlib.import_module(name)
        for inner in pkgutil.iter_modules(getattr(module, "__path__", [])):
            importlib.import_module(f"{name}.{inner.name}")


if __name__ == "__main__":
    main()

"""The console script, and `python -m vodiabot`."""

from __future__ import annotations

import sys

from .errors import VodiabotError

INTERRUPTED = 130
"""The exit code that a shell expects of a process that Ctrl-C has ended."""


def main() -> None:
    """`cli.main`; a Ctrl-C before it listens for one is no traceback: importing takes a second."""
    try:
        from .cli import main as run
        from .verbs.common import report
        from .verbs.leaving import leave

        try:
            run()
        except SystemExit as exc:
            leave(exc.code)
        except (OSError, VodiabotError) as exc:  # such as a help that can't be written
            leave(report(exc))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()

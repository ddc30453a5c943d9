#!/bin/sh
# Installs vodiabot with its test tools into .venv, Chromium too, and runs the tests. Arguments go to pytest.
. "$(dirname "$0")/setup.sh"
make_venv "[dev]"
# Ubuntu's chromium is a snap, which containers and many servers can't run: there Playwright's own build is taken.
if ! command -v chromium >/dev/null 2>&1; then
    if grep -q '^ID=ubuntu' /etc/os-release; then
        .venv/bin/playwright install --with-deps chromium
    else
        apt_install chromium
    fi
fi
if [ $# -gt 0 ]; then
    exec .venv/bin/python -m pytest "$@"
fi
# Two at a time, one of those with audio or a page and one that computes; tests/conftest.py says who takes what.
exec .venv/bin/python -m pytest -n 2

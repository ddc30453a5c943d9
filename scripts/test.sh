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
# Two at a time, and no test is measured by the clock on the wall; tests/conftest.py says what stays together.
exec .venv/bin/python -m pytest -n 2

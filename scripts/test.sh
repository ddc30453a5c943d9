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
pytest=".venv/bin/python -m pytest"
if [ $# -gt 0 ]; then
    exec $pytest "$@"
fi
# What only computes runs two at a time. What sends audio in real time, a page too, runs alone, or the tests would
# measure each other.
audio="tests/browser tests/e2e tests/media tests/sim/server"
$pytest -n 2 --dist loadfile $(printf -- '--ignore=%s ' $audio) tests
exec $pytest $audio

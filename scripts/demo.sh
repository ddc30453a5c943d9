#!/bin/sh
# Installs vodiabot into .venv and runs the demo: the simulated PBX, a bot, and a page to call it from.
. "$(dirname "$0")/setup.sh"
make_venv ""
exec .venv/bin/vodiabot demo "$@"

# Sourced by the other scripts: a virtual environment in .venv with what is asked for. Debian or Ubuntu, Python 3.11+.
set -eu
cd "$(dirname "$0")/.."

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt_install() {
    echo "installing $* with apt-get" >&2
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

find_python() {
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$python" >/dev/null 2>&1 &&
            "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    echo "vodiabot needs Python 3.11 or newer (Debian: apt-get install python3 python3-venv)" >&2
    exit 2
}

# make_venv WHAT: .venv with this project in it; WHAT is "" or "[dev]"
make_venv() {
    command -v python3 >/dev/null 2>&1 || apt_install python3 python3-venv
    python=$(find_python)
    if [ ! -x .venv/bin/pip ]; then
        rm -rf .venv
        "$python" -m venv .venv >/dev/null 2>&1 || {
            rm -rf .venv
            apt_install "$(basename "$(readlink -f "$(command -v "$python")")")-venv"
            "$python" -m venv .venv
        }
    fi
    echo "installing vodiabot into .venv; the first time takes a minute or two" >&2
    .venv/bin/pip install --quiet --disable-pip-version-check --editable ".$1"
}

#!/bin/sh
# Install the pinned uv into a virtual environment of its own: sh bring-uv.sh PYTHON FOLDER
# Only Python's own means are used, in this order: venv with ensurepip; venv and the system's pip; virtualenv.
set -eu

UV_VERSION=0.13.9
python=$1
folder=$2

fail() {
    printf 'make: %s\n' "$@" >&2
    exit 1
}

if [ -z "$python" ]; then
    fail "Python 3.11 or newer was not found on PATH." \
        "Install it, or name it: make up PYTHON=/path/to/python3.12"
fi
if [ -x "$folder/bin/uv" ] && [ "$("$folder/bin/uv" --version | cut -d' ' -f2)" = "$UV_VERSION" ]; then
    touch "$folder/bin/uv"
    exit 0
fi

printf 'Bringing uv %s (once) …\n' "$UV_VERSION" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
pip_options='--quiet --disable-pip-version-check --no-input'

# Without ensurepip (Debian splits it off as python3-venv) the venv module stops half way; pip may be there all the same.
if "$python" -m venv --clear "$folder" >"$log" 2>&1; then
    pip="$folder/bin/python -m pip"
elif "$python" -m venv --clear --without-pip "$folder" >>"$log" 2>&1 &&
    "$python" -m pip --python "$folder/bin/python" --version >>"$log" 2>&1; then
    pip="$python -m pip --python $folder/bin/python"
elif "$python" -m virtualenv --clear "$folder" >>"$log" 2>&1; then
    pip="$folder/bin/python -m pip"
else
    cat "$log" >&2
    rm -rf "$folder"
    fail "$python can make no virtual environment with pip, which brings uv." \
        "Install its venv module (Debian: python3-venv), or pip, or virtualenv;" \
        "or use a uv $UV_VERSION that is there already: make up UV=uv"
fi

# shellcheck disable=SC2086 # words are meant
if ! $pip install $pip_options "uv==$UV_VERSION" >"$log" 2>&1; then
    cat "$log" >&2
    rm -rf "$folder"
    fail "uv $UV_VERSION could not be downloaded from the Python package index." \
        "Check the network or pip's settings (index, proxy, certificates);" \
        "or use a uv $UV_VERSION that is there already: make up UV=uv"
fi
touch "$folder/bin/uv"

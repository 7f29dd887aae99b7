#!/bin/sh
# Makes .venv with what the Python tests and the documentation need (Scripts/python-requirements.txt). Runs again only when that list changes.
set -eu
cd "$(dirname "$0")/.."

list=Scripts/python-requirements.txt
if cmp -s "$list" .venv/installed.txt; then exit 0; fi
# Debian keeps venv in a package of its own.
if ! python3 -c 'import ensurepip, venv' 2> /dev/null; then
  if [ "$(id -u)" -ne 0 ]; then
    echo "setup-python: Python's venv is missing; run 'apt-get install python3-venv' as root first" >&2
    exit 1
  fi
  apt-get -qq update
  apt-get -qq install --yes python3-venv > /dev/null
fi
echo "setup-python: making .venv with $(tr '\n' ' ' < "$list")"
python3 -m venv --clear .venv
.venv/bin/pip install --quiet --disable-pip-version-check --requirement "$list"
cp "$list" .venv/installed.txt

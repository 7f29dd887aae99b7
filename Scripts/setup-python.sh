#!/bin/sh
# Makes .venv with what the Python tests need (Scripts/python-requirements.txt). Runs again only when that list changes.
set -eu
cd "$(dirname "$0")/.."

list=Scripts/python-requirements.txt
if cmp -s "$list" .venv/installed.txt; then exit 0; fi
echo "setup-python: making .venv with $(tr '\n' ' ' < "$list")"
python3 -m venv --clear .venv
.venv/bin/pip install --quiet --disable-pip-version-check --requirement "$list"
cp "$list" .venv/installed.txt

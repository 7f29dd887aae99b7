#!/bin/sh
# Prints the linker's version script: what the door (Sources/SasukaABI) exports, and nothing else, at version SASUKA_1.
set -eu
cd "$(dirname "$0")/.."

echo 'SASUKA_1 {'
echo '  global:'
cat Sources/SasukaABI/*.swift | sed -n 's/.*@_cdecl("\(sasuka_[a-z0-9_]*\)").*/    \1;/p' | LC_ALL=C sort
echo '  local: *;'
echo '};'

#!/bin/sh
# Prints the Python of an environment that holds the engines Sasuka is compared with, and makes the environment first
# where there is none. It lies outside the tree: SASUKA_PEERS names one of your own.
set -eu
cd "$(dirname "$0")"

environment=${SASUKA_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/sasuka/peers}
python=$environment/bin/python
if ! "$python" -c 'import onnxruntime, openvino, torch' 2> /dev/null; then
  echo "setup-peers: making $environment; that fetches about 1 GB" >&2
  python3 -m venv "$environment" >&2
  pip="$environment/bin/pip install --quiet --disable-pip-version-check"
  # The build without GPUs where the package index has it.
  $pip torch==2.13.0+cpu >&2 || $pip torch==2.13.0 >&2
  $pip --requirement peers-requirements.txt >&2
  # The compiled operators of this torchvision do not fit this torch; its networks do without them.
  $pip --no-deps torchvision==0.28.0 >&2
  # These have no wheel for some Pythons; the comparison goes on without them.
  for extra in ncnn pnnx MNN; do
    $pip "$extra" >&2 || echo "setup-peers: $extra is not to be had here" >&2
  done
fi
echo "$python"

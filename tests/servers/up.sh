#!/usr/bin/env bash
# Real servers on loopback for the tests. Installs what it needs on first use (PyPI), then serves in the foreground.
#   up.sh gradio6|gradio5|gradio4 PORT    gradio_app.py on Gradio 6.31, 5.50 or 4.44
#   up.sh llamacpp PORT                   llama.cpp with a tiny random model made on the spot
#   up.sh install                         only installs gradio6, gradio5 and llamacpp
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=${INFEROMETER_TEST_SERVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/inferometer-test-servers}
mkdir -p "$home"
export PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1 GRADIO_ANALYTICS_ENABLED=False PIP_DISABLE_PIP_VERSION_CHECK=1

venv() { # venv NAME PACKAGE… : made once; made again if it did not finish
  local dir="$home/$1"; shift
  [ -e "$dir/.done" ] && return
  echo "installing $* ..." >&2
  rm -rf "$dir"
  python3 -m venv "$dir"
  "$dir/bin/pip" install -q "$@"
  touch "$dir/.done"
}
need() {
  case "$1" in
    gradio6) venv gradio6 'gradio==6.31.0' ;;
    gradio5) venv gradio5 'gradio==5.50.0' ;;
    gradio4) venv gradio4 'gradio==4.44.1' 'huggingface_hub<1' 'pydantic<2.11' 'starlette<1' 'fastapi<0.116' ;;
    llamacpp)
      venv llamacpp 'xllamacpp==2026.10.11549' 'gguf==0.19.0' numpy
      [ -s "$home/tiny.gguf" ] || "$home/llamacpp/bin/python" "$here/make_tiny_gguf.py" "$home/tiny.gguf" ;;
  esac
}
case "${1:-}" in
  install) need gradio6; need gradio5; need llamacpp ;;
  gradio6|gradio5|gradio4) need "$1"; PORT=$2 exec "$home/$1/bin/python" "$here/gradio_app.py" ;;
  llamacpp) need llamacpp; OMP_WAIT_POLICY=passive exec "$home/llamacpp/bin/python" "$here/llamacpp_server.py" "$home/tiny.gguf" "$2" ;;
  *) sed -n '2,6p' "$0"; exit 2 ;;
esac

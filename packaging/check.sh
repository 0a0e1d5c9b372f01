#!/usr/bin/env bash
# Everything that must hold, in one command: packaging/check.sh [--install]
# Says in one line which system packages are missing on a Debian machine; --install installs them.
set -uo pipefail
cd "$(dirname "$0")/.."

packages=(gcc libc6-dev git python3 python3-venv xvfb xdotool scrot xauth libgl1 libgl1-mesa-dri libegl1 libxkbcommon-x11-0
  libxcursor1 libxi6 libxrandr2 libwayland-client0 fontconfig fonts-noto-core fonts-noto-cjk)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  if [ "${1:-}" = --install ]; then
    export DEBIAN_FRONTEND=noninteractive
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    { $sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null || {
      echo "could not install: ${missing[*]}"; exit 1; }
  else
    echo "missing system packages: ${missing[*]} (packaging/check.sh --install installs them)"
    exit 1
  fi
fi
if ! command -v cargo >/dev/null; then
  echo "cargo is missing: install a Rust 1.95 toolchain"
  exit 1
fi

failed=()
pids=()
cleanup() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done; wait 2>/dev/null; }
trap cleanup EXIT
step() { # step NAME COMMAND…
  local name=$1 began=$SECONDS; shift
  echo "== $name: $*"
  if "$@"; then echo "== $name: ok, $((SECONDS - began)) s"; else echo "== $name: FAILED, $((SECONDS - began)) s"; failed+=("$name"); fi
}

export CARGO_TERM_COLOR=never
cargo deny --version >/dev/null 2>&1 || step "install cargo-deny" cargo install --locked --quiet cargo-deny
step fmt cargo fmt --check
step "clippy, window" cargo clippy --locked --quiet --all-targets --features testing -- -D warnings
step "clippy, headless" cargo clippy --locked --quiet --all-targets --no-default-features -- -D warnings
no_window_below() { ! cargo tree --locked --no-default-features -e normal | grep -E 'egui|winit|glow'; }
step "no egui without the window" no_window_below
step doc env RUSTDOCFLAGS="-D warnings" cargo doc --locked --quiet --no-deps --document-private-items --features testing
step deny cargo deny --log-level error check licenses bans sources
# The truth tests compare times, and one of them keeps all cores busy: they have the machine to themselves.
step "tests, headless" cargo test --locked --no-default-features -- --skip truth::
step "truth" cargo test --locked --no-default-features --test main -- --test-threads 1 truth::
step "tests, window" cargo test --locked --features testing -- --skip truth::

# The same binary against real servers.
step "install real servers" tests/servers/up.sh install
declare -A ports=([gradio6]=38616 [gradio5]=38615 [llamacpp]=38620)
for name in "${!ports[@]}"; do
  tests/servers/up.sh "$name" "${ports[$name]}" >"target/$name.log" 2>&1 &
  pids+=($!)
done
answers() { python3 - "$1" <<'PY'
import sys, time, urllib.request
for _ in range(180):
    try:
        urllib.request.urlopen(sys.argv[1], timeout=2).read()
        sys.exit(0)
    except Exception:
        time.sleep(1)
sys.exit(sys.argv[1] + " did not answer in three minutes")
PY
}
step "gradio 6 answers" answers "http://127.0.0.1:${ports[gradio6]}/config"
step "gradio 5 answers" answers "http://127.0.0.1:${ports[gradio5]}/config"
step "llama.cpp answers" answers "http://127.0.0.1:${ports[llamacpp]}/v1/models"
step "tests, real servers" env INFEROMETER_TEST_GRADIO6="http://127.0.0.1:${ports[gradio6]}/" \
  INFEROMETER_TEST_GRADIO5="http://127.0.0.1:${ports[gradio5]}/" INFEROMETER_TEST_LLAMACPP="http://127.0.0.1:${ports[llamacpp]}/v1" \
  cargo test --locked --features testing --test main -- --ignored --test-threads 1 real:: visitors::
cleanup
pids=()

# 3 is a run to its end on a machine that was too busy for its numbers, which the run itself says.
demo() {
  local code=0
  cargo run --release --locked --quiet -- demo --no-window --quiet -o "$(mktemp -d)/demo.run.jsonl" || code=$?
  echo "exit code $code"
  [ "$code" = 0 ] || [ "$code" = 3 ]
}
step "the README's first command" demo
step "the window under Xvfb" packaging/window-test.sh target/release/inferometer

if [ ${#failed[@]} -gt 0 ]; then
  echo "FAILED: ${failed[*]}"
  exit 1
fi
echo "everything holds ($SECONDS s)"

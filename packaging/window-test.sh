#!/usr/bin/env bash
# The main job in a real window: fill in the URL, start, wait, save, open again; by mouse and keys, under Xvfb.
# Usage: packaging/window-test.sh BINARY [FOLDER for the screenshots]
set -euo pipefail
binary=$(realpath "$1")
shots=${2:-$(mktemp -d)}
mkdir -p "$shots"
work=$(mktemp -d)
export INFEROMETER_HOME="$work/home" LIBGL_ALWAYS_SOFTWARE=1
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
fail() {
  scrot -o "$shots/failed.png" || true
  echo "window test: $1 (screenshots in $shots)"
  cat "$work/window.log" 2>/dev/null || true
  exit 1
}
until_true() { # until_true SECONDS WHAT COMMAND…
  local left=$(($1 * 5)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || fail "$what"
    kill -0 "$window_pid" 2>/dev/null || fail "the window is gone while waiting: $what"
    sleep 0.2
  done
}

# A display of our own: the first free number.
display=90
while [ -e "/tmp/.X11-unix/X$display" ]; do display=$((display + 1)); done
Xvfb ":$display" -screen 0 1280x800x24 -noreset >/dev/null 2>&1 &
pids+=($!)
export DISPLAY=":$display"
unset WAYLAND_DISPLAY
for _ in $(seq 50); do [ -e "/tmp/.X11-unix/X$display" ] && break; sleep 0.1; done

# A server that is not the window's own.
"$binary" serve-demo >"$work/server.txt" &
pids+=($!)
for _ in $(seq 50); do [ -s "$work/server.txt" ] && break; sleep 0.1; done
url=$(grep -o 'http://[0-9.:]*/v1' "$work/server.txt")

"$binary" >"$work/window.log" 2>&1 &
window_pid=$!
pids+=("$window_pid")
until_true 30 "no window opened" xdotool search --name Inferometer
window=$(xdotool search --name Inferometer | head -1)
until_true 15 "the window takes no keys" xdotool windowfocus "$window"
sleep 2
scrot -o "$shots/1-first-start.png"

# The form: the URL field, then an address that detection fills the rest from.
xdotool mousemove 200 200 click 1
sleep 0.5
xdotool key ctrl+a
xdotool type --delay 20 "$url"
sleep 2
scrot -o "$shots/2-form.png"
xdotool key ctrl+Return
finished() { grep -qs '"type":"end"' "$INFEROMETER_HOME"/runs/*.run.jsonl; }
running() { ls "$INFEROMETER_HOME"/runs/*.run.jsonl; }
until_true 15 "no run began" running
sleep 5
scrot -o "$shots/3-running.png"
until_true 90 "the run did not end" finished
sleep 1.5
xdotool mousemove 700 71
sleep 0.5
scrot -o "$shots/4-finished-dark.png"
run=$(ls "$INFEROMETER_HOME"/runs/*.run.jsonl)
grep -q "\"url\":\"$url" "$run" || fail "the run did not measure $url"

# Save a copy of the run (File menu), then open it again by its path.
xdotool mousemove 82 22 click 1
sleep 0.7
xdotool mousemove 146 181 click 1
sleep 1.2
copy="$work/copy.run.jsonl"
xdotool key ctrl+a
xdotool type --delay 10 "$copy"
scrot -o "$shots/5-save.png"
xdotool key Return
until_true 10 "the copy was not saved" cmp -s "$run" "$copy"
xdotool key ctrl+o
sleep 1.2
xdotool key ctrl+a
xdotool type --delay 10 "$copy"
xdotool key Return
opened() { grep -qs "$copy" "$INFEROMETER_HOME/settings.json"; }
until_true 10 "the copy was not opened" opened
sleep 1.2
scrot -o "$shots/6-opened-again.png"

# Light, the library and Compare.
xdotool key ctrl+k
sleep 0.7
xdotool type --delay 10 "light theme"
sleep 0.5
xdotool key Return
is_light() { grep -qs '"theme": *"light"' "$INFEROMETER_HOME/settings.json"; }
until_true 10 "the theme did not become light" is_light
sleep 1.2
scrot -o "$shots/7-opened-light.png"
xdotool key ctrl+2
sleep 1.5
scrot -o "$shots/8-runs-light.png"
xdotool key ctrl+3
sleep 1.2
scrot -o "$shots/9-compare-light.png"
kill -0 "$window_pid" 2>/dev/null || fail "the window is gone"
grep -qi panicked "$work/window.log" && fail "the window panicked"
echo "window test: filled, started, finished, saved and opened again (screenshots in $shots)"

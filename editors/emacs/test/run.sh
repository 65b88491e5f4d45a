#!/usr/bin/env bash
# Emacs in batch mode with eglot: test/run.sh EMACS FOLDER. REDRAFT_BIN is the server; the folder has rust-mode and markdown-mode.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
emacs=$1 modes=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git init -q "$work"
"$emacs" --version | head -n 1
cd "$work"
folders=(-L "$here/..")
for folder in "$modes"/*/; do folders+=(-L "$folder"); done
timeout 400 "$emacs" --batch -Q "${folders[@]}" -l "$here/test.el"

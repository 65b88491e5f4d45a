#!/usr/bin/env bash
# Emacs in batch mode with eglot: test/run.sh [EMACS]. REDRAFT_BIN is the server.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
emacs=${1:-emacs}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/.git"
"$emacs" --version | head -n 1
cd "$work"
timeout 300 "$emacs" --batch -Q -L "$here/.." -l "$here/test.el"

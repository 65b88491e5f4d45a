#!/usr/bin/env bash
# LSP4J, the library under LSP4IJ, as LSP4IJ uses it: test/run.sh FOLDER-WITH-JARS. REDRAFT_BIN is the server.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$here/../make.py" --check
javac -nowarn -cp "$1/*" -d "$work" "$here/Lsp4ij.java"
java -cp "$work:$1/*" Lsp4ij "$REDRAFT_BIN" "$here/../redraft" "$here/../../sample"

#!/usr/bin/env bash
# LSP4J, the library under LSP4IJ, as LSP4IJ uses it: test/run.sh FOLDER-WITH-JARS. REDRAFT_BIN is the server.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$here/../make.py" --check
javac -nowarn -cp "$1/*" -d "$work" "$here/Lsp4ij.java"
# The template as a person has it: unpacked.
python3 -m zipfile -e "$here/../out/redraft-lsp4ij.zip" "$work/unpacked"
java -cp "$work:$1/*" Lsp4ij "$REDRAFT_BIN" "$work/unpacked/redraft" "$here/../../sample"

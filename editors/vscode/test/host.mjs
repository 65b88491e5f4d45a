// Runs test/host inside a real extension host: node test/host.mjs --editors DIR --vsix FILE
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startBrowser, startCodeServer, workbench } from './codeServer.mjs';

const { values } = parseArgs({ options: { editors: { type: 'string' }, vsix: { type: 'string' } } });
const root = path.resolve(import.meta.dirname, '..');
const out = path.join(root, 'out/host');
fs.mkdirSync(out, { recursive: true });
const bundle = ['test/host/run.ts', '--bundle', '--platform=node', '--format=cjs', '--external:vscode', '--loader:.rs=text', `--outfile=${out}/run.js`, '--log-level=warning'];
execFileSync(path.join(root, 'node_modules/.bin/esbuild'), bundle, { cwd: root, stdio: 'inherit' });
// The tests are an extension of their own, so that what they test is the installed package.
const tests = { name: 'redraft-host-tests', publisher: 'redraft', version: '0.0.0', engines: { vscode: '^1.91.0' } };
fs.writeFileSync(path.join(out, 'package.json'), JSON.stringify(tests));

const settings = { 'redraft.model.fetch': 'never' };
const server = await startCodeServer({ editors: values.editors, vsix: values.vsix, settings, smoke: true });
const { browser, page } = await startBrowser(server.base);
let code = 1;
try {
  const ended = new Promise((resolve) => {
    // The workbench logs much of its own; the lines of the tests are told by how they begin.
    page.exposeFunction('codeAutomationLog', (_type, args) => {
      if (/^(ok|FAIL|  ) /.test(String(args[0]))) console.log(...args);
    });
    page.exposeFunction('codeAutomationExit', resolve);
  });
  const at = (file) => `vscode-remote://127.0.0.1:${server.port}${file}`;
  const payload = [
    ['extensionDevelopmentPath', at(out)],
    ['extensionTestsPath', at(path.join(out, 'run.js'))],
    ['skipWelcome', 'true'],
  ];
  await page.goto(workbench(server.base, server.workspace, payload));
  const limit = new Promise((resolve) => setTimeout(resolve, 420_000, 'the tests took longer than 7 minutes'));
  const result = await Promise.race([ended, limit]);
  if (result !== 0) {
    fs.mkdirSync(path.join(root, 'out'), { recursive: true });
    await page.screenshot({ path: path.join(root, 'out/host-failed.png') });
  }
  code = result === 0 ? 0 : 1;
  console.log(code === 0 ? 'PASS' : `FAIL ${result}`);
} finally {
  await browser.close();
  server.stop();
}
process.exit(code);

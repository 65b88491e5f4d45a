// A real VS Code for tests: code-server's VS Code server with the packed extension installed, and chromium in front.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';

/** A port that is free now. */
const freePort = () =>
  new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Everything that would ask a network or a person. */
const QUIET = {
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'workbench.startupEditor': 'none',
  'workbench.enableExperiments': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'chat.disableAIFeatures': true,
  'editor.inlineSuggest.enabled': true,
  'editor.stickyScroll.enabled': false,
  'editor.wordBasedSuggestions': 'off',
  'typescript.disableAutomaticTypeAcquisition': true,
  'git.enabled': false,
};

/**
 * Starts it; gives the address, the folders, and how to end it. `editors` is where tests/editors.sh installs; with
 * `withoutServer` the extension's own server is taken out. No `redraft` is on PATH but that in the folder `onPath`.
 */
export async function startCodeServer({ editors, vsix, settings = {}, smoke, withoutServer, onPath }) {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'redraft-vscode-'));
  const at = (name) => path.join(work, name);
  const node = path.join(editors, 'n24bin/node');
  const codeServer = path.join(editors, 'cs/node_modules/code-server');
  const folders = process.env.PATH.split(path.delimiter).filter((folder) => !fs.existsSync(path.join(folder, 'redraft')));
  const env = {
    ...process.env,
    PATH: [...(onPath === undefined ? [] : [onPath]), ...folders].join(path.delimiter),
    EXTENSIONS_GALLERY: JSON.stringify(
      Object.fromEntries(
        ['serviceUrl', 'itemUrl', 'resourceUrlTemplate', 'controlUrl', 'recommendationsUrl', 'nlsBaseUrl', 'publisherUrl'].map(
          (name) => [name, ''],
        ),
      ),
    ),
  };
  fs.mkdirSync(at('user/User'), { recursive: true });
  fs.mkdirSync(at('workspace'));
  fs.mkdirSync(at('user/Machine'));
  fs.writeFileSync(at('user/User/settings.json'), JSON.stringify({ ...QUIET, ...settings }));
  // Settings of the machine's scope, such as the server's path, are read here alone once the extension is known.
  fs.writeFileSync(at('user/Machine/settings.json'), JSON.stringify(settings));
  const places = ['--user-data-dir', at('user'), '--extensions-dir', at('extensions')];
  execFileSync(node, [path.join(codeServer, 'out/node/entry.js'), ...places, '--install-extension', vsix], { env, stdio: 'pipe' });
  if (withoutServer) {
    const extension = fs.readdirSync(at('extensions')).find((name) => name.startsWith('redraft.redraft-'));
    fs.rmSync(path.join(at('extensions'), extension, 'bin'), { recursive: true });
  }
  const port = await freePort();
  const log = fs.openSync(at('server.log'), 'w');
  const server = spawn(
    node,
    [
      path.join(codeServer, 'lib/vscode/out/server-main.js'),
      ...['--host', '127.0.0.1', '--port', String(port), '--without-connection-token', '--accept-server-license-terms'],
      ...['--disable-telemetry', '--disable-workspace-trust', '--force-disable-user-env', '--server-data-dir', at('server'), ...places],
      ...(smoke ? ['--enable-smoke-test-driver'] : []),
    ],
    { env, stdio: ['ignore', log, log], detached: true },
  );
  const base = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries++) {
    try {
      await fetch(`${base}/version`);
      break;
    } catch (error) {
      if (tries === 150 || server.exitCode !== null) {
        throw new Error(`code-server did not start: ${fs.readFileSync(at('server.log'), 'utf8')}`, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  const stop = () => {
    try {
      process.kill(-server.pid, 'SIGTERM');
    } catch {
      // It is gone already.
    }
    fs.rmSync(work, { recursive: true, force: true, maxRetries: 5 });
  };
  return { base, port, work, workspace: at('workspace'), stop };
}

/** A browser that talks to nobody but this machine. */
export async function startBrowser(base, options = {}) {
  const browser = await chromium.launch({
    executablePath: process.env.REDRAFT_CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: base });
  const page = await context.newPage();
  return { browser, context, page };
}

/** The address of the workbench with this payload. */
export const workbench = (base, workspace, payload) =>
  `${base}/?folder=${workspace}&payload=${encodeURIComponent(JSON.stringify(payload))}`;

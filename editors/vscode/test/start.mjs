// How VS Code starts with the extension: where the server is found, and the first start without a model.
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { attempt, clipboard, current, openFile, page, palette, sample, saved, shot, until, withWorkbench } from './driver.mjs';

/** A hub on this machine with the one model file that the tests have, handed out slowly enough to be watched. */
async function slowHub(file) {
  const size = fs.statSync(file).size;
  const server = http.createServer((request, response) => {
    const asked = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '');
    const from = Number(asked?.[1] ?? 0);
    const to = Math.min(Number(asked?.[2] || size - 1), size - 1);
    response.writeHead(asked === null ? 200 : 206, {
      'content-length': to - from + 1,
      'accept-ranges': 'bytes',
      etag: '"model"',
      ...(asked === null ? {} : { 'content-range': `bytes ${from}-${to}/${size}` }),
    });
    if (request.method === 'HEAD') return response.end();
    const stream = fs.createReadStream(file, { start: from, end: to, highWaterMark: 1 << 20 });
    stream.on('data', (chunk) => {
      stream.pause();
      response.write(chunk);
      setTimeout(() => stream.resume(), 60);
    });
    stream.on('end', () => response.end());
    response.on('close', () => stream.destroy());
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** The first start on a machine without a model: the walkthrough, and the fetch with its progress. */
async function firstStart() {
  const cache = process.env.REDRAFT_CACHE ?? path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'redraft');
  const model = fs.readdirSync(path.join(cache, 'models')).find((name) => /smollm2.*\.gguf$/i.test(name));
  const hub = await slowHub(path.join(cache, 'models', model));
  const empty = fs.mkdtempSync(path.join(os.tmpdir(), 'redraft-cache-'));
  process.env.REDRAFT_CACHE = empty;
  process.env.HF_ENDPOINT = `http://127.0.0.1:${hub.address().port}`;
  try {
    await withWorkbench({ settings: { 'redraft.model.name': 'smollm2-135m' } }, { 'sure.rs': sample('counter.rs') }, async () => {
      await page.getByText('Get started with Redraft').first().waitFor();
      // What is certain needs no model.
      await openFile('sure.rs');
      await clipboard(sample('snippet.rs'));
      await page.keyboard.press('Control+Alt+v');
      await until('the edit', async () => (await saved('sure.rs')) === sample('edited.rs'));
      await palette('Redraft: Get Started');
      await page.locator('.monaco-button', { hasText: 'Fetch the model' }).first().click();
      const progress = page.locator('.notification-toast, .statusbar-item', { hasText: / of \d+ MB/ });
      await progress.first().waitFor();
      await shot('walkthrough');
      await page.locator('.notification-toast', { hasText: 'is ready' }).first().waitFor({ timeout: 120_000 });
    });
  } finally {
    hub.close();
    fs.rmSync(empty, { recursive: true, force: true });
    delete process.env.REDRAFT_CACHE;
    delete process.env.HF_ENDPOINT;
  }
}

/** A folder with a program `redraft` that leaves a mark when it is started. */
function markedServer() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'redraft-server-'));
  const [program, mark] = [path.join(folder, 'redraft'), path.join(folder, 'started')];
  fs.writeFileSync(program, `#!/bin/sh\necho started >${mark}\nexec ${process.env.REDRAFT_BIN} "$@"\n`, { mode: 0o755 });
  return { folder, program, started: () => fs.existsSync(mark) };
}

/** The server of the setting, or else of the package, or else of PATH. */
async function whereTheServerIs() {
  const settings = { 'redraft.model.fetch': 'never' };
  for (const [setting, packaged, onPath, expected] of [
    [true, true, true, 'setting'],
    [false, true, true, 'package'],
    [false, false, true, 'path'],
  ]) {
    const servers = { setting: markedServer(), path: markedServer() };
    const options = {
      settings: setting ? { ...settings, 'redraft.server.path': servers.setting.program } : settings,
      withoutServer: !packaged,
      onPath: onPath ? servers.path.folder : undefined,
    };
    await withWorkbench(options, {}, async () => {
      for (const [name, server] of Object.entries(servers)) {
        if (server.started() !== (name === expected)) throw new Error(`wanted the server of the ${expected}; ${name}: ${server.started()}`);
        fs.rmSync(server.folder, { recursive: true });
      }
    });
  }
}

/** Without any server, a sentence and a button that leads to the setting. */
async function noServer() {
  await withWorkbench({ withoutServer: true, ready: '.notification-toast:has-text("nor is it on PATH")' }, {}, async () => {
    await page.locator('.notification-toast .monaco-button', { hasText: 'Open Settings' }).first().click();
    await page.locator('.settings-editor').getByText('The redraft program', { exact: false }).first().waitFor();
  });
}

export async function runStarts() {
  await attempt('the server is that of the setting, of the package, or of PATH', whereTheServerIs);
  await attempt('without a server the setting is offered', noServer);
  await attempt('the first start: a certain suggestion, the walkthrough, the fetch with its progress', firstStart);
}

// What a person does, by keyboard and mouse in a browser: node test/ui.mjs --editors DIR --vsix FILE --out DIR
// Saves screenshots under DIR, and with --frames DIR the pictures of which the README's animation is made.
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startBrowser, startCodeServer, workbench } from './codeServer.mjs';

const { values } = parseArgs({
  options: { editors: { type: 'string' }, vsix: { type: 'string' }, out: { type: 'string' }, frames: { type: 'string' }, only: { type: 'string' } },
});
fs.mkdirSync(values.out, { recursive: true });

const examples = path.resolve(import.meta.dirname, '../../../examples');
const ORIGINAL = fs.readFileSync(path.join(examples, 'inventory.rs'), 'utf8');
const REPLY = fs.readFileSync(path.join(examples, 'inventory.suggestion.md'), 'utf8');
/** The one function of it, as a person would copy it. */
const SNIPPET = /^ {4}\/\/\/ Takes[^]*?^ {4}\}\n/m.exec(REPLY)[0];
/** A file that takes the model a while, with the change near its top. */
const sample = (name) => fs.readFileSync(path.resolve(import.meta.dirname, '../../sample', name), 'utf8');
const LONG = sample('counter.rs') + Array.from({ length: 40 }, (_, n) => `\npub fn helper_${n}() -> u32 {\n    ${n}\n}\n`).join('');
const COUNTER_SNIPPET = sample('snippet.rs');
/** Lines of the edit that the example's suggestion stands for. */
const CHANGED = 'Result<(), String>';

let page;
let current;

const until = async (what, holds, seconds = 60) => {
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    try {
      if (await holds()) return;
    } catch {
      // What is looked for is being drawn anew.
    }
    await page.waitForTimeout(50);
  }
  throw new Error(`waited in vain for ${what}`);
};
const shot = (name) => page.screenshot({ path: path.join(values.out, `${name}.png`) });

const editorOf = (file) => page.locator(`.monaco-editor[data-uri$="${file}"]`);
/** The text that is on the screen. */
const text = async (file) =>
  (await editorOf(file).locator('.view-lines').innerText()).replaceAll('\u00a0', ' ');
/** The text on the disk after saving. */
const saved = async (file) => {
  await page.keyboard.press('Control+s');
  return fs.readFileSync(path.join(current.workspace, file), 'utf8');
};
const palette = async (title) => {
  for (let tries = 0; tries < 4; tries++) {
    await page.keyboard.press('F1');
    const input = page.locator('.quick-input-widget input');
    await input.waitFor({ state: 'visible' });
    await input.fill(`>${title}`);
    try {
      await page.locator('.quick-input-list .monaco-list-row', { hasText: title }).first().click({ timeout: 5000 });
      return;
    } catch {
      await page.keyboard.press('Escape');
    }
  }
  throw new Error(`the command palette has no ${title}`);
};
const openFile = async (file) => {
  await page.keyboard.press('Control+p');
  const input = page.locator('.quick-input-widget input');
  await input.waitFor({ state: 'visible' });
  await input.fill(file);
  await page.locator('.quick-input-list .monaco-list-row', { hasText: file }).first().waitFor();
  await page.keyboard.press('Enter');
  await editorOf(file).locator('.view-line').first().waitFor();
};
const clipboard = (content) => page.evaluate((content) => navigator.clipboard.writeText(content), content);

/** Frames for the animation: one after each step that shows something. */
let frame = 0;
const record = async (milliseconds) => {
  if (values.frames === undefined) return;
  fs.mkdirSync(values.frames, { recursive: true });
  await page.screenshot({ path: path.join(values.frames, `${String(frame++).padStart(3, '0')}-${milliseconds}.png`) });
};

const steps = {
  async 'paste, select, light bulb, Apply suggestion'() {
    await openFile('menu.rs');
    await record(1200);
    await page.keyboard.press('Control+End');
    await page.keyboard.press('Enter');
    await clipboard(SNIPPET);
    await page.keyboard.press('Control+v');
    await until('the paste', async () => (await text('menu.rs')).includes(CHANGED));
    await record(900);
    // The clipboard ends with a line end, so the cursor stands below the snippet.
    for (let lines = SNIPPET.trimEnd().split('\n').length; lines > 0; lines--) await page.keyboard.press('Shift+ArrowUp');
    await record(900);
    const item = page.locator('.action-widget').getByText('Apply suggestion', { exact: true });
    // A click is lost now and then while the menu is drawn anew: the whole step is done again.
    for (let tries = 0; ; tries++) {
      await page.keyboard.press('Control+.');
      try {
        await item.waitFor({ timeout: 3000 });
        await shot('menu');
        await record(1200);
        await item.click({ timeout: 3000 });
        await page.locator('.codelens-decoration', { hasText: 'Undo' }).first().waitFor({ timeout: 5000 });
        break;
      } catch (error) {
        if (tries === 5) throw error;
        await page.keyboard.press('Escape');
      }
    }
    await page.keyboard.press('Control+Home');
    await page.waitForTimeout(300);
    await shot('review');
    await record(2200);
    const now = await saved('menu.rs');
    if (!now.includes(CHANGED) || now.split('\n').length !== ORIGINAL.split('\n').length + 1) throw new Error(now);
  },

  async 'undo all by keyboard, apply from the clipboard, keep all by mouse'() {
    await openFile('menu.rs');
    await page.keyboard.press('Control+Shift+Alt+Backspace');
    await until('the file with the snippet in it', async () => {
      const now = await saved('menu.rs');
      return now.startsWith(ORIGINAL.trimEnd()) && now.includes(SNIPPET.trim());
    });
    await openFile('clipboard.rs');
    await clipboard(`\`\`\`rust\n${SNIPPET}\`\`\`\n`);
    await page.keyboard.press('Control+Alt+v');
    await page.locator('.codelens-decoration', { hasText: 'Keep' }).first().waitFor();
    await page.locator('.statusbar-item', { hasText: 'Keep' }).first().click();
    await until('no lenses', async () => (await editorOf('clipboard.rs').locator('.codelens-decoration', { hasText: 'Keep' }).count()) === 0);
    if (!(await saved('clipboard.rs')).includes(CHANGED)) throw new Error(await saved('clipboard.rs'));
    await page.keyboard.press('Control+z');
    await until('one undo step', async () => (await saved('clipboard.rs')) === ORIGINAL);
  },

  async 'what Redraft is not sure of opens the refactor preview'() {
    await openFile('unsure.rs');
    // Two functions of the same name in two places: which one is meant?
    await clipboard('impl Left {\n    // ... existing code ...\n\n    fn size(&self) -> u32 {\n        self.count + 1\n    }\n\n    // ... existing code ...\n}\n');
    await palette('Redraft: Apply Suggestion from the Clipboard');
    const panel = page.locator('.bulk-edit-panel');
    await panel.waitFor();
    await panel.locator('.monaco-list-row').first().waitFor();
    // Nothing is ticked at first: the boxes are.
    await panel.locator('.monaco-list-row').first().click();
    await page.keyboard.press('Space');
    await shot('preview');
    await panel.getByText('Apply', { exact: true }).click();
    await until('the edit', async () => (await saved('unsure.rs')).includes('self.count + 1'));
  },

  async 'ghost text is shown and accepted with Tab'() {
    await openFile('ghost.rs');
    await page.keyboard.press('Control+End');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('End');
    await record(700);
    const ghost = editorOf('ghost.rs').locator('.ghost-text, .ghost-text-decoration');
    // The model may not be sure after the first character.
    for (const key of 'a -') {
      await page.keyboard.type(key);
      try {
        await ghost.first().waitFor({ timeout: 15_000 });
        break;
      } catch {
        // The next character says more.
      }
    }
    await shot('ghost');
    await record(1500);
    await page.keyboard.press('Tab');
    await record(1200);
    await until('the accepted text', async () => (await saved('ghost.rs')).includes('    a - b\n'));
  },
};

/** Where the model writes every file. */
const stepsWithModel = {
  async 'an apply is watched and cancelled'() {
    await openFile('long.rs');
    const before = await saved('long.rs');
    await record(900);
    await clipboard(COUNTER_SNIPPET);
    await palette('Redraft: Apply Suggestion from the Clipboard');
    const item = page.locator('.statusbar-item', { hasText: 'tokens/s' }).filter({ hasText: 'Redraft:' });
    await item.first().waitFor({ timeout: 60_000 });
    // What is about to come is drawn by style sheets alone.
    await until('the change before it lands', () =>
      page.evaluate(() =>
        [...document.querySelectorAll('.view-line span')].some((part) => getComputedStyle(part, '::after').content.includes('amount')),
      ),
    );
    await shot('applying');
    await record(1800);
    await item.first().click();
    await until('the end', async () => (await item.count()) === 0);
    if ((await saved('long.rs')) !== before) throw new Error('a cancelled apply has changed the file');
  },
};

async function withWorkbench(options, files, run) {
  current = await startCodeServer({ editors: values.editors, vsix: values.vsix, ...options });
  for (const [name, content] of Object.entries(files)) fs.writeFileSync(path.join(current.workspace, name), content);
  const { browser, page: opened } = await startBrowser(current.base);
  page = opened;
  try {
    await page.goto(workbench(current.base, current.workspace, []));
    await page.waitForSelector('.monaco-workbench', { timeout: 60_000 });
    await page.locator('.statusbar-item', { hasText: 'Redraft' }).first().waitFor({ timeout: 60_000 });
    await run();
  } catch (error) {
    await shot('ui-failed');
    throw error;
  } finally {
    await browser.close();
    current.stop();
  }
}

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
    await withWorkbench({ settings: { 'redraft.model.name': 'smollm2-135m' } }, {}, async () => {
      await page.getByText('Get started with Redraft').first().waitFor();
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

const unsure = `struct Left {\n    count: u32,\n}\n\nimpl Left {\n    fn new() -> Self {\n        Self { count: 0 }\n    }\n\n    fn size(&self) -> u32 {\n        self.count\n    }\n\n    fn clear(&mut self) {\n        self.count = 0;\n    }\n}\n`;
const ghost = 'pub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n\npub fn subtract(a: u32, b: u32) -> u32 {\n    \n}\n';
const files = { 'ghost.rs': ghost, 'menu.rs': ORIGINAL, 'clipboard.rs': ORIGINAL, 'long.rs': LONG, 'unsure.rs': unsure };
const failed = [];
const attempt = async (name, run) => {
  if (values.only !== undefined && !name.includes(values.only)) return;
  const started = Date.now();
  try {
    await run();
    console.log(`ok   ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed.push(name);
    console.log(`FAIL ${name}: ${error.stack}`);
    await shot(`ui-failed-${failed.length}`).catch(() => undefined);
  }
};
for (const [group, more] of [
  [steps, {}],
  [stepsWithModel, { 'redraft.apply.route': 'model' }],
]) {
  await withWorkbench({ settings: { 'redraft.model.fetch': 'never', ...more } }, files, async () => {
    for (const [name, step] of Object.entries(group)) await attempt(name, step);
  }).catch((error) => failed.push(String(error)));
}
await attempt('the first start shows the walkthrough and the progress of the fetch', firstStart);
console.log(failed.length === 0 ? 'PASS' : `FAIL ${failed.join('; ')}`);
process.exit(failed.length === 0 ? 0 : 1);

// A person at a VS Code in a browser: what the tests by mouse and keyboard are written with.
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startBrowser, startCodeServer, workbench } from './codeServer.mjs';

export const { values } = parseArgs({
  options: { editors: { type: 'string' }, vsix: { type: 'string' }, out: { type: 'string' }, frames: { type: 'string' }, only: { type: 'string' } },
});
fs.mkdirSync(values.out, { recursive: true });

/** The page that is open, and the VS Code behind it. */
export let page;
export let current;

/** A file of the sample that all editors' tests share. */
export const sample = (name) => fs.readFileSync(path.resolve(import.meta.dirname, '../../sample', name), 'utf8');

export const until = async (what, holds, seconds = 60) => {
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
export const shot = (name) => page.screenshot({ path: path.join(values.out, `${name}.png`) });

export const editorOf = (file) => page.locator(`.monaco-editor[data-uri$="${file}"]`);
/** The text that is on the screen. */
export const text = async (file) =>
  (await editorOf(file).locator('.view-lines').innerText()).replaceAll('\u00a0', ' ');
/** The text on the disk after saving. */
export const saved = async (file) => {
  await page.keyboard.press('Control+s');
  return fs.readFileSync(path.join(current.workspace, file), 'utf8');
};
/** Types into the field that the key opens until the list has an entry with this text, and takes it. */
const pick = async (key, typed, entry) => {
  for (let tries = 0; tries < 4; tries++) {
    await page.keyboard.press(key);
    try {
      await page.locator('.quick-input-widget input').fill(typed, { timeout: 5000 });
      await page.locator('.quick-input-list .monaco-list-row', { hasText: entry }).first().click({ timeout: 5000 });
      return;
    } catch {
      // What opens meanwhile takes the focus.
      await page.keyboard.press('Escape');
    }
  }
  throw new Error(`${entry} is not in the list`);
};
export const palette = (title) => pick('F1', `>${title}`, title);
export const openFile = async (file) => {
  await pick('Control+p', file, file);
  await editorOf(file).locator('.view-line').first().waitFor();
};
export const clipboard = (content) => page.evaluate((content) => navigator.clipboard.writeText(content), content);

/** Frames for the animation: one after each step that shows something. */
let frame = 0;
export const record = async (milliseconds) => {
  if (values.frames === undefined) return;
  fs.mkdirSync(values.frames, { recursive: true });
  await page.screenshot({ path: path.join(values.frames, `${String(frame++).padStart(3, '0')}-${milliseconds}.png`) });
};

/** What has failed, by name. */
export const failed = [];

/** Runs one test, and says how it went. */
export const attempt = async (name, run) => {
  if (values.only !== undefined && !name.includes(values.only)) return;
  const started = Date.now();
  try {
    await run();
    console.log(`ok   ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed.push(name);
    console.log(`FAIL ${name}: ${error.stack}`);
    await page?.screenshot({ path: path.join(values.out, `ui-failed-${failed.length}.png`) }).catch(() => undefined);
  }
};

/** Starts a VS Code with these files and a browser before it, and runs `run` there. `ready` is what has to be there first. */
export async function withWorkbench(options, files, run) {
  const { ready = '.statusbar-item:has-text("Redraft")', ...start } = options;
  current = await startCodeServer({ editors: values.editors, vsix: values.vsix, ...start });
  for (const [name, content] of Object.entries(files)) fs.writeFileSync(path.join(current.workspace, name), content);
  const { browser, page: opened } = await startBrowser(current.base);
  page = opened;
  try {
    await page.goto(workbench(current.base, current.workspace, []));
    await page.waitForSelector('.monaco-workbench', { timeout: 60_000 });
    await page.locator(ready).first().waitFor({ timeout: 60_000 });
    await run();
  } catch (error) {
    await shot('ui-failed');
    throw error;
  } finally {
    await browser.close();
    current.stop();
  }
}

// What a person does, by keyboard and mouse in a browser: node test/ui.mjs --editors DIR --vsix FILE --out DIR
// Saves screenshots under DIR, and with --frames DIR the pictures of which the README's animation is made.
import fs from 'node:fs';
import path from 'node:path';
import { attempt, clipboard, editorOf, failed, openFile, page, palette, record, sample, saved, shot, text, until, withWorkbench } from './driver.mjs';
import { runStarts } from './start.mjs';

const examples = path.resolve(import.meta.dirname, '../../../examples');
const ORIGINAL = fs.readFileSync(path.join(examples, 'inventory.rs'), 'utf8');
const REPLY = fs.readFileSync(path.join(examples, 'inventory.suggestion.md'), 'utf8');
/** The one function of it, as a person would copy it. */
const SNIPPET = /^ {4}\/\/\/ Takes[^]*?^ {4}\}\n/m.exec(REPLY)[0];
/** A file that takes the model a while, with the change near its top. */
const LONG = sample('counter.rs') + Array.from({ length: 40 }, (_, n) => `\npub fn helper_${n}() -> u32 {\n    ${n}\n}\n`).join('');
const COUNTER_SNIPPET = sample('snippet.rs');
/** Lines of the edit that the example's suggestion stands for. */
const CHANGED = 'Result<(), String>';

const NUMBERS = Array.from({ length: 30 }, (_, n) => `let value${n} = ${n};\n`).join('');
/** Two changes of it, both in sight. */
const TWO = [['let value5 = 5;', 'let value5 = 55;'], ['let value15 = 15;', 'let value15 = 51;']];

/** Types in the empty function at the end of a file until there is ghost text. */
async function startTyping(file) {
  await openFile(file);
  await page.keyboard.press('Control+End');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('End');
  await record(700);
  const ghost = editorOf(file).locator('.ghost-text, .ghost-text-decoration');
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
  return ghost;
}

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
      try {
        await editorOf('menu.rs').locator('.lightBulbWidget, .codicon-gutter-lightbulb').first().click({ timeout: 3000 });
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

  async 'each change is kept and undone by keyboard and by mouse'() {
    await openFile('two.rs');
    const undos = editorOf('two.rs').locator('.codelens-decoration').getByText('Undo', { exact: true });
    const left = (count) => until(`${count} changes`, async () => (await undos.count()) === count);
    const apply = async () => {
      await clipboard(TWO.map(([from, to]) => `<<<<<<< SEARCH\n${from}\n=======\n${to}\n>>>>>>> REPLACE\n`).join(''));
      await page.keyboard.press('Control+Alt+v');
      await left(2);
      await page.keyboard.press('Control+Home');
    };
    const is = (what, changes) =>
      until(what, async () => (await saved('two.rs')) === changes.reduce((text, [from, to]) => text.replace(from, to), NUMBERS));
    await apply();
    await page.keyboard.press('Control+Alt+Enter');
    await left(1);
    await page.keyboard.press('Control+Alt+Backspace');
    await left(0);
    await is('the first change alone', TWO.slice(0, 1));
    await page.keyboard.press('Control+z');
    await page.keyboard.press('Control+z');
    await is('the file as it was', []);
    await apply();
    await undos.first().click();
    await left(1);
    await page.keyboard.press('Control+Shift+Alt+Enter');
    await left(0);
    await is('the second change alone', TWO.slice(1));
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
    const shown = await startTyping('ghost.rs');
    await shot('ghost');
    await record(1500);
    await page.keyboard.press('Tab');
    await record(1200);
    await until('the accepted text', async () => (await saved('ghost.rs')).includes('    a - b\n'));
    await until('no ghost text', async () => (await shown.count()) === 0);
  },

  async 'ghost text is accepted by word, and dropped with Esc'() {
    const shown = await startTyping('words.rs');
    const before = await saved('words.rs');
    await page.keyboard.press('Control+ArrowRight');
    await until('a word more', async () => {
      const now = await saved('words.rs');
      return now.length > before.length && now.startsWith(before.slice(0, -'\n}\n'.length));
    });
    await shown.first().waitFor();
    const word = await saved('words.rs');
    await page.keyboard.press('Escape');
    await until('no ghost text', async () => (await shown.count()) === 0);
    if ((await saved('words.rs')) !== word) throw new Error(await saved('words.rs'));
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

  async 'the marks grow, and Esc cancels'() {
    await openFile('long.rs');
    const before = await saved('long.rs');
    await clipboard(COUNTER_SNIPPET);
    await page.keyboard.press('Control+Alt+v');
    const sizes = [];
    await until('marks that grow', async () => {
      const size = await page.evaluate(
        () =>
          [...document.querySelectorAll('.view-overlays .cdr')].filter(
            (part) => part.className.includes('ced-') && getComputedStyle(part).borderLeftWidth === '2px',
          ).length,
      );
      if (size > 0 && size > (sizes.at(-1) ?? 0)) sizes.push(size);
      return sizes.length >= 3;
    });
    await page.keyboard.press('Escape');
    const item = page.locator('.statusbar-item', { hasText: 'tokens/s' });
    await until('the end', async () => (await item.count()) === 0);
    if ((await saved('long.rs')) !== before) throw new Error('a cancelled apply has changed the file');
  },
};

const unsure = `struct Left {\n    count: u32,\n}\n\nimpl Left {\n    fn new() -> Self {\n        Self { count: 0 }\n    }\n\n    fn size(&self) -> u32 {\n        self.count\n    }\n\n    fn clear(&mut self) {\n        self.count = 0;\n    }\n}\n`;
const ghost = 'pub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n\npub fn subtract(a: u32, b: u32) -> u32 {\n    \n}\n';
const words = 'pub fn multiply_and_add(a: u32, b: u32, c: u32) -> u32 {\n    a * b + c\n}\n\npub fn multiply_and_subtract(a: u32, b: u32, c: u32) -> u32 {\n    \n}\n';
const files = { 'ghost.rs': ghost, 'words.rs': words, 'two.rs': NUMBERS, 'menu.rs': ORIGINAL, 'clipboard.rs': ORIGINAL, 'long.rs': LONG, 'unsure.rs': unsure };
for (const [group, more] of [
  [steps, {}],
  [stepsWithModel, { 'redraft.apply.route': 'model' }],
]) {
  // The model alone: it is sure of less, and writes whole files, which takes long enough to be watched.
  const settings = { 'redraft.model.fetch': 'never', 'redraft.model.adapter': 'none', ...more };
  await withWorkbench({ settings }, files, async () => {
    for (const [name, step] of Object.entries(group)) await attempt(name, step);
  }).catch((error) => failed.push(String(error)));
}
await runStarts();
console.log(failed.length === 0 ? 'PASS' : `FAIL ${failed.join('; ')}`);
process.exit(failed.length === 0 ? 0 : 1);

// Inside the extension host of a real VS Code: the packed extension, the real server, the real model.
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as vscode from 'vscode';
import ORIGINAL from '../../../sample/counter.rs';
import EXPECTED from '../../../sample/edited.rs';
import SNIPPET from '../../../sample/snippet.rs';
import type { Api } from '../../src/extension';
import type { Applying } from '../../src/protocol';

let api: Api;
let count = 0;

/** Waits until something holds, and says so when it never does. */
async function until(what: string, holds: () => boolean | Promise<boolean>, seconds = 60): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Opens a new file of the workspace with this text. */
async function open(text: string, extension = 'rs'): Promise<vscode.TextEditor> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? '';
  const file = path.join(folder, `file${++count}.${extension}`);
  fs.writeFileSync(file, text);
  return vscode.window.showTextDocument(vscode.Uri.file(file));
}

function select(editor: vscode.TextEditor, needle: string): void {
  const text = editor.document.getText();
  const start = text.indexOf(needle);
  assert.notEqual(start, -1, needle);
  const at = (offset: number): vscode.Position => editor.document.positionAt(offset);
  editor.selection = new vscode.Selection(at(start), at(start + needle.length));
}

async function configure(key: string, value: unknown): Promise<void> {
  await vscode.workspace.getConfiguration('redraft').update(key, value, vscode.ConfigurationTarget.Workspace);
}

async function modelReady(): Promise<void> {
  await until('the model', async () => (await api.status()).model.state === 'ready', 120);
}

async function undo(editor: vscode.TextEditor, text: string): Promise<void> {
  await vscode.window.showTextDocument(editor.document);
  await vscode.commands.executeCommand('undo');
  assert.equal(editor.document.getText(), text, 'one undo brings the file back');
}

const tests: Record<string, () => Promise<void>> = {
  async 'the server of the package runs'() {
    const extension = vscode.extensions.getExtension<Api>('redraft.redraft');
    assert.ok(extension !== undefined, 'the package is installed');
    api = await extension.activate();
    assert.ok(fs.existsSync(path.join(extension.extensionPath, 'bin/redraft')), 'the server is in the package');
    const status = await api.status();
    assert.equal(status.version, extension.packageJSON.version);
    await modelReady();
  },

  async 'every contributed command exists'() {
    const all = await vscode.commands.getCommands(true);
    const extension = vscode.extensions.getExtension('redraft.redraft');
    const contributed: { command: string }[] = extension?.packageJSON.contributes.commands;
    assert.deepEqual(contributed.map(({ command }) => command).filter((command) => !all.includes(command)), []);
  },

  async 'a suggestion from the clipboard lands as one undo step'() {
    const editor = await open(ORIGINAL);
    await vscode.env.clipboard.writeText(`\`\`\`rust\n${SNIPPET}\`\`\`\n`);
    await vscode.commands.executeCommand('redraft.applyFromClipboard');
    assert.equal(editor.document.getText(), EXPECTED);
    await undo(editor, ORIGINAL);
  },

  async 'a selected snippet is taken out and applied'() {
    const pasted = `${ORIGINAL}\n${SNIPPET}`;
    const editor = await open(pasted);
    select(editor, SNIPPET);
    await vscode.commands.executeCommand('redraft.applySelection');
    assert.equal(editor.document.getText(), EXPECTED);
    await undo(editor, pasted);
  },

  async 'the code action is in the menu for rewrites'() {
    const editor = await open(`${ORIGINAL}\n${SNIPPET}`);
    select(editor, SNIPPET);
    const actions = await vscode.commands.executeCommand<vscode.CodeAction[]>(
      'vscode.executeCodeActionProvider',
      editor.document.uri,
      editor.selection,
      vscode.CodeActionKind.RefactorRewrite.value,
      4,
    );
    const action = actions.find(({ title }) => title === 'Apply suggestion');
    assert.ok(action?.edit !== undefined, 'the action has its edit once it is resolved');
    await vscode.workspace.applyEdit(action.edit);
    assert.equal(editor.document.getText(), EXPECTED);
  },

  async 'a Markdown block and a whole reply find their file'() {
    for (const command of ['redraft.applyBlock', 'redraft.applyDocument']) {
      const target = await open(ORIGINAL);
      const name = path.basename(target.document.uri.fsPath);
      const chat = await open(`In \`${name}\`:\n\n\`\`\`rust\n${SNIPPET}\`\`\`\n`, 'md');
      select(chat, 'amount');
      await vscode.commands.executeCommand(command);
      assert.equal(target.document.getText(), EXPECTED, command);
    }
  },

  async 'a reply from the clipboard goes to the file that it names'() {
    const target = await open(ORIGINAL);
    const here = await open(ORIGINAL);
    await vscode.env.clipboard.writeText(`In \`${path.basename(target.document.uri.fsPath)}\`:\n\n\`\`\`rust\n${SNIPPET}\`\`\`\n`);
    await vscode.commands.executeCommand('redraft.applyFromClipboard');
    assert.equal(target.document.getText(), EXPECTED);
    assert.equal(here.document.getText(), ORIGINAL);
  },

  async 'changes are kept and undone by hunk and as a whole'() {
    const numbers = Array.from({ length: 40 }, (_, n) => `let value${n} = ${n};`).join('\n') + '\n';
    const changed = numbers.replace('value5 = 5', 'value5 = 55').replace('value30 = 30', 'value30 = 33');
    const editor = await open(numbers);
    const uri = editor.document.uri;
    const hunks = (): number => api.reviews.hunks(uri).length;
    const block = (from: string, to: string): string => `<<<<<<< SEARCH\n${from}\n=======\n${to}\n>>>>>>> REPLACE\n`;
    const blocks =
      block('let value5 = 5;', 'let value5 = 55;') + block('let value30 = 30;', 'let value30 = 33;');
    const apply = async (): Promise<void> => {
      await vscode.env.clipboard.writeText(blocks);
      await vscode.commands.executeCommand('redraft.applyFromClipboard');
      assert.equal(editor.document.getText(), changed);
      await until('two changes to review', () => hunks() === 2);
    };
    await apply();
    const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>('vscode.executeCodeLensProvider', uri, 10);
    assert.deepEqual(
      lenses.map((lens) => `${lens.range.start.line} ${lens.command?.title}`),
      ['5 Keep', '5 Undo', '5 Keep all', '5 Undo all', '30 Keep', '30 Undo'],
    );
    editor.selection = new vscode.Selection(30, 0, 30, 0);
    await vscode.commands.executeCommand('redraft.undoHere');
    assert.equal(editor.document.getText(), numbers.replace('value5 = 5', 'value5 = 55'));
    await until('one change to review', () => hunks() === 1);
    // A change moves with what is typed above it.
    await editor.edit((edit) => edit.insert(new vscode.Position(0, 0), '// typed\n'));
    await until('the change to move', () => api.reviews.hunks(uri)[0]?.range.start.line === 6);
    await vscode.commands.executeCommand('redraft.keepAllHere');
    await until('nothing to review', () => hunks() === 0);
    await editor.edit((edit) => edit.replace(new vscode.Range(0, 0, 99, 0), numbers));
    await apply();
    await vscode.commands.executeCommand('redraft.undoAllHere');
    assert.equal(editor.document.getText(), numbers);
    await until('nothing to review', () => hunks() === 0);
  },

  async 'the model writes, and what it has verified is shown before it lands'() {
    await configure('apply.route', 'model');
    const editor = await open(ORIGINAL);
    await vscode.env.clipboard.writeText(SNIPPET);
    const view = api.applying;
    const update = view.update.bind(view);
    const seen: Applying[] = [];
    view.update = (news): void => {
      seen.push(news);
      update(news);
    };
    await vscode.commands.executeCommand('redraft.applyFromClipboard');
    view.update = update;
    assert.equal(editor.document.getText(), EXPECTED);
    assert.ok(view.shownSpeed > 0, 'the status bar showed tokens a second');
    assert.ok(view.mostHunks > 0, 'the change was shown before it landed');
    const ends = seen.flatMap(({ verified }) => (verified === null ? [] : [verified.end.line]));
    assert.deepEqual(ends, [...ends].sort((a, b) => a - b), 'what is verified grows');
    assert.ok(new Set(ends).size > 1, `what is verified grows: ${ends.join(' ')}`);
  },

  async 'an apply is cancelled and the file stays as it is'() {
    const long = Array.from({ length: 60 }, (_, n) => `pub fn helper_${n}(x: u32) -> u32 {\n    x * ${n}\n}\n`).join('\n');
    const editor = await open(long);
    await vscode.env.clipboard.writeText('pub fn helper_30(x: u32) -> u32 {\n    x * 30 + 1\n}\n');
    api.applying.shownSpeed = 0;
    const done = vscode.commands.executeCommand('redraft.applyFromClipboard');
    await until('the model to write', () => api.applying.shownSpeed > 0);
    assert.equal(await vscode.commands.executeCommand('redraft.cancel'), true);
    await done;
    assert.equal(editor.document.getText(), long);
    await configure('apply.route', undefined);
  },

  async 'ghost text is offered and accepted'() {
    const editor = await open('pub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n\npub fn subtract(a: u32, b: u32) -> u32 {\n    a\n}\n');
    editor.selection = new vscode.Selection(5, 5, 5, 5);
    await until('the accepted text', async () => {
      await vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
      await vscode.commands.executeCommand('editor.action.inlineSuggest.commit');
      return editor.document.lineAt(5).text === '    a - b';
    });
  },

  async 'the model is here, and the machine is measured'() {
    await vscode.commands.executeCommand('redraft.fetchModel');
    await vscode.commands.executeCommand('redraft.showStatus');
    const measured = await vscode.commands.executeCommand<{ tokensPerSecond: number }>('redraft.benchmark');
    assert.ok(measured.tokensPerSecond > 0);
    assert.ok(((await api.status()).tokensPerSecond ?? 0) > 0, 'the speed of the last apply');
  },

  async 'an error leads to another model, which the settings keep'() {
    const name = (): unknown => vscode.workspace.getConfiguration('redraft').get('model.name');
    await configure('model.name', 'nothing.gguf');
    await until('the setting', async () => (await api.status()).model.state === 'unusable');
    await vscode.commands.executeCommand('notifications.clearAll');
    await assert.rejects(async () => vscode.commands.executeCommand('redraft.fetchModel'), /nothing\.gguf does not exist/);
    // The first button each: "Choose another model", and then the first of the list.
    await until('the chosen model', async () => {
      await vscode.commands.executeCommand('notification.acceptPrimaryAction');
      return name() === 'qwen2.5-coder-0.5b';
    });
    await modelReady();
    await configure('model.name', undefined);
  },

  async 'the log opens as a document'() {
    await vscode.commands.executeCommand('redraft.openLog');
    await until('the log', () => vscode.window.activeTextEditor?.document.fileName.endsWith('lsp.log') === true);
    assert.match(vscode.window.activeTextEditor?.document.getText() ?? '', /redraft .* serves as process/);
  },
};

export async function run(): Promise<void> {
  const failed: string[] = [];
  for (const [name, test] of Object.entries(tests)) {
    const started = Date.now();
    try {
      console.log(`     ${name}`);
      await test();
      console.log(`ok   ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed.push(name);
      console.log(`FAIL ${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
  if (failed.length > 0) {
    throw new Error(`${failed.length} failed: ${failed.join('; ')}`);
  }
}

import * as vscode from 'vscode';
import { inOneLine, toRange } from './applyingView';
import type { Hunk, Review } from './protocol';

/** Marks what an apply changed until it is kept or undone. Where each change is, the server says after every edit. */
export class ReviewView implements vscode.Disposable {
  private readonly added = vscode.window.createTextEditorDecorationType({
    isWholeLine: true,
    backgroundColor: new vscode.ThemeColor('diffEditor.insertedLineBackground'),
    overviewRulerColor: new vscode.ThemeColor('editorGutter.addedBackground'),
    overviewRulerLane: vscode.OverviewRulerLane.Full,
  });
  private readonly removed = vscode.window.createTextEditorDecorationType({
    isWholeLine: true,
    borderStyle: 'solid none none none',
    borderWidth: '1px',
    borderColor: new vscode.ThemeColor('editorGutter.deletedBackground'),
    after: {
      color: new vscode.ThemeColor('editorGutter.deletedBackground'),
      fontStyle: 'italic',
      margin: '0 0 0 3em',
    },
  });
  private readonly keepAll = vscode.window.createStatusBarItem('redraft.keepAll', vscode.StatusBarAlignment.Left, 99);
  private readonly undoAll = vscode.window.createStatusBarItem('redraft.undoAll', vscode.StatusBarAlignment.Left, 98);
  private readonly listeners: vscode.Disposable;
  private readonly reviews = new Map<string, Hunk[]>();

  constructor() {
    this.keepAll.command = 'redraft.keepAllHere';
    this.undoAll.command = 'redraft.undoAllHere';
    this.undoAll.text = '$(discard) Undo all';
    this.listeners = vscode.Disposable.from(
      vscode.window.onDidChangeVisibleTextEditors(() => this.show()),
      vscode.window.onDidChangeActiveTextEditor(() => this.show()),
    );
  }

  update(news: Review): void {
    const uri = vscode.Uri.parse(news.uri).toString();
    if (news.hunks.length === 0) {
      this.reviews.delete(uri);
    } else {
      this.reviews.set(uri, news.hunks);
    }
    this.show();
  }

  /** The changes of a document that are still to be decided about. */
  hunks(uri: vscode.Uri): Hunk[] {
    return this.reviews.get(uri.toString()) ?? [];
  }

  private show(): void {
    for (const editor of vscode.window.visibleTextEditors) {
      this.decorate(editor, this.hunks(editor.document.uri));
    }
    const active = vscode.window.activeTextEditor;
    const count = active === undefined ? 0 : this.hunks(active.document.uri).length;
    void vscode.commands.executeCommand('setContext', 'redraft.reviewing', count > 0);
    if (count > 0) {
      this.keepAll.text = `$(check) Keep ${count === 1 ? 'the change' : `all ${count} changes`}`;
      this.keepAll.show();
      this.undoAll.show();
    } else {
      this.keepAll.hide();
      this.undoAll.hide();
    }
  }

  private decorate(editor: vscode.TextEditor, hunks: Hunk[]): void {
    const placed = hunks.map((hunk) => ({ range: toRange(hunk.range), removed: hunk.removed }));
    editor.setDecorations(
      this.added,
      placed
        .filter((hunk) => !hunk.range.isEmpty)
        .map((hunk) => {
          const last = hunk.range.end.character === 0 ? hunk.range.end.line - 1 : hunk.range.end.line;
          return new vscode.Range(hunk.range.start.line, 0, last, 0);
        }),
    );
    editor.setDecorations(
      this.removed,
      placed
        .filter((hunk) => hunk.removed !== '')
        .map((hunk) => ({
          range: new vscode.Range(hunk.range.start, hunk.range.start),
          hoverMessage: new vscode.MarkdownString('Before:').appendCodeblock(
            hunk.removed,
            editor.document.languageId,
          ),
          renderOptions: { after: { contentText: `− ${inOneLine(hunk.removed).trim()}` } },
        })),
    );
  }

  dispose(): void {
    for (const part of [this.added, this.removed, this.keepAll, this.undoAll, this.listeners]) {
      part.dispose();
    }
  }
}

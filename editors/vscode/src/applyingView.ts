import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import type { Applying } from './protocol';

/**
 * Shows what the model has verified so far: in the file what goes and what comes, and in the status bar how fast, with
 * a click to cancel.
 */
export class ApplyingView implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('redraft.applying', vscode.StatusBarAlignment.Left, 100);
  private readonly verified = vscode.window.createTextEditorDecorationType({
    isWholeLine: true,
    borderStyle: 'none none none solid',
    borderWidth: '2px',
    borderColor: new vscode.ThemeColor('editorGutter.addedBackground'),
    overviewRulerColor: new vscode.ThemeColor('editorGutter.addedBackground'),
    overviewRulerLane: vscode.OverviewRulerLane.Left,
  });
  private readonly removed = vscode.window.createTextEditorDecorationType({
    backgroundColor: new vscode.ThemeColor('diffEditor.removedTextBackground'),
    textDecoration: 'line-through',
  });
  private readonly added = vscode.window.createTextEditorDecorationType({
    after: {
      color: new vscode.ThemeColor('editorGutter.addedBackground'),
      backgroundColor: new vscode.ThemeColor('diffEditor.insertedTextBackground'),
    },
  });
  /** The applies that run, by their token. */
  private readonly running = new Map<string | number, Applying>();
  /** How many hunks the last apply showed before its edit came; for tests. */
  mostHunks = 0;
  /** The highest speed shown; for tests. */
  shownSpeed = 0;

  constructor(private readonly client: () => LanguageClient | undefined) {
    this.item.name = 'Redraft: apply';
    this.item.command = 'redraft.cancel';
    this.item.tooltip = 'Cancel; the file stays as it is';
  }

  update(news: Applying): void {
    if (news.phase === 'done') {
      this.running.delete(news.token);
    } else {
      this.running.set(news.token, news);
      this.mostHunks = Math.max(this.mostHunks, news.hunks.length);
      this.shownSpeed = Math.max(this.shownSpeed, news.tokensPerSecond ?? 0);
    }
    void vscode.commands.executeCommand('setContext', 'redraft.applying', this.running.size > 0);
    this.showItem(news);
    this.decorate(news);
  }

  /** Cancels every apply that runs; true when there was one. */
  async cancel(): Promise<boolean> {
    const tokens = [...this.running.keys()];
    for (const token of tokens) {
      await this.client()?.sendNotification('window/workDoneProgress/cancel', { token });
    }
    return tokens.length > 0;
  }

  private showItem(news: Applying): void {
    if (this.running.size === 0) {
      this.item.hide();
      return;
    }
    const speed = news.tokensPerSecond;
    const what = speed === null ? 'reading' : `${Math.round(speed)} tokens/s`;
    this.item.text = `$(sync~spin) Redraft: ${what} $(close)`;
    this.item.show();
  }

  private decorate(news: Applying): void {
    const over = news.phase === 'done';
    for (const editor of vscode.window.visibleTextEditors) {
      if (editor.document.uri.toString() !== vscode.Uri.parse(news.uri).toString()) {
        continue;
      }
      // Ranges of another version would mark the wrong lines.
      const stale = over || (news.version !== null && editor.document.version !== news.version);
      const hunks = stale ? [] : news.hunks.map((edit) => ({ range: toRange(edit.range), text: edit.newText }));
      editor.setDecorations(this.verified, stale || news.verified === null ? [] : [lines(toRange(news.verified))]);
      editor.setDecorations(this.removed, hunks.filter((hunk) => !hunk.range.isEmpty).map((hunk) => hunk.range));
      editor.setDecorations(
        this.added,
        hunks
          .filter((hunk) => hunk.text.trim() !== '')
          .map((hunk) => ({
            range: new vscode.Range(hunk.range.end, hunk.range.end),
            renderOptions: { after: { contentText: inOneLine(hunk.text) } },
          })),
      );
    }
  }

  dispose(): void {
    for (const part of [this.item, this.verified, this.removed, this.added]) {
      part.dispose();
    }
  }
}

/** A range of the protocol as one of the editor. */
export function toRange(range: { start: { line: number; character: number }; end: { line: number; character: number } }): vscode.Range {
  return new vscode.Range(range.start.line, range.start.character, range.end.line, range.end.character);
}

/** Whole lines: a range that ends at the start of a line does not mean that line. */
function lines(range: vscode.Range): vscode.Range {
  const last = range.end.character === 0 && range.end.line > range.start.line ? range.end.line - 1 : range.end.line;
  return new vscode.Range(range.start.line, 0, last, 0);
}

/** A decoration has one line: the first that says something, and how many more there are. */
export function inOneLine(text: string): string {
  const all = text.split('\n').filter((line) => line.trim() !== '');
  const more = all.length > 1 ? ` … ${all.length - 1} more` : '';
  return `${text.startsWith('\n') ? ' ' : ''}${(all[0] ?? '').trimEnd()}${more}`;
}

import * as vscode from 'vscode';
import { LanguageClient, RevealOutputChannelOn, type LanguageClientOptions } from 'vscode-languageclient/node';
import { ApplyingView } from './applyingView';
import { LANGUAGES } from './languages';
import * as protocol from './protocol';
import { ReviewView } from './reviewView';
import { findServer } from './server';

/** What tests look at. */
export interface Api {
  applying: ApplyingView;
  reviews: ReviewView;
  status(): Promise<protocol.Status>;
}

const WALKTHROUGH = 'redraft.redraft#start';

let client: LanguageClient | undefined;

/** The commands that the server brings; while it does not run, each says why. */
const SERVER_COMMANDS = ['redraft.fetchModel', 'redraft.chooseModel', 'redraft.showStatus', 'redraft.benchmark'];

export async function activate(context: vscode.ExtensionContext): Promise<Api> {
  const log = vscode.window.createOutputChannel('Redraft', { log: true });
  const applying = new ApplyingView(() => client);
  const reviews = new ReviewView();
  const idle = vscode.window.createStatusBarItem('redraft.status', vscode.StatusBarAlignment.Right, 0);
  idle.name = 'Redraft';
  idle.text = '$(wand) Redraft';
  idle.command = 'redraft.showStatus';
  context.subscriptions.push(log, applying, reviews, idle);

  const status = async (): Promise<protocol.Status> => {
    if (client === undefined) {
      throw new Error('Redraft is not running');
    }
    const status = await client.sendRequest(protocol.status);
    idle.tooltip = status.text;
    await vscode.commands.executeCommand('setContext', 'redraft.modelReady', ['ready', 'onDisk'].includes(status.model.state));
    return status;
  };

  const register = (name: string, run: () => unknown): void => {
    context.subscriptions.push(vscode.commands.registerCommand(name, run));
  };
  register('redraft.showLog', () => log.show());
  register('redraft.openWalkthrough', () =>
    vscode.commands.executeCommand('workbench.action.openWalkthrough', WALKTHROUGH, false),
  );
  register('redraft.restart', () => client?.restart());
  register('redraft.cancel', () => applying.cancel());
  register('redraft.applyFromClipboard', async () => {
    const text = await vscode.env.clipboard.readText();
    await run('redraft.applyReply', { text, uri: activeUri() });
  });
  register('redraft.applyDocument', async () => {
    const document = vscode.window.activeTextEditor?.document;
    await run('redraft.applyReply', { text: document?.getText() ?? '' });
  });
  for (const name of ['redraft.applySelection', 'redraft.applyBlock']) {
    register(name, async () => {
      const editor = vscode.window.activeTextEditor;
      if (editor === undefined || client === undefined) {
        return;
      }
      const range = client.code2ProtocolConverter.asRange(editor.selection);
      await run('redraft.applyAt', { uri: activeUri(), range });
    });
  }
  for (const [name, command] of [
    ['redraft.keepHere', 'redraft.keepHunk'],
    ['redraft.undoHere', 'redraft.undoHunk'],
    ['redraft.keepAllHere', 'redraft.keepAll'],
    ['redraft.undoAllHere', 'redraft.undoAll'],
  ] as const) {
    register(name, async () => {
      const position = vscode.window.activeTextEditor?.selection.active;
      await run(command, { uri: activeUri(), position });
    });
  }

  const setting = vscode.workspace.getConfiguration('redraft').get<string>('server.path', '');
  const found = findServer(setting, context.extensionPath);
  if ('problem' in found) {
    for (const name of SERVER_COMMANDS) {
      register(name, () => noServer(found.problem));
    }
    noServer(found.problem);
    return { applying, reviews, status };
  }
  client = newClient(found.path, log, status);
  client.onNotification(protocol.applying, (news) => applying.update(news));
  client.onNotification(protocol.review, (news) => reviews.update(news));
  client.onNotification(protocol.setting, (setting) => keep(setting));
  context.subscriptions.push(client);
  try {
    await client.start();
  } catch (error) {
    log.error(`${found.path} did not start: ${String(error)}`);
    noServer(`${found.path} did not start.`);
    return { applying, reviews, status };
  }
  idle.show();
  void greet(context, status);
  return { applying, reviews, status };
}

export async function deactivate(): Promise<void> {
  await client?.stop();
}

function newClient(path: string, log: vscode.LogOutputChannel, status: () => Promise<unknown>): LanguageClient {
  const options: LanguageClientOptions = {
    documentSelector: LANGUAGES.flatMap((language) => [
      { scheme: 'file', language },
      { scheme: 'untitled', language },
    ]),
    outputChannel: log,
    // The server says in words what went wrong; that a request failed is for the log.
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    middleware: {
      executeCommand: async (command, argumentList, next): Promise<unknown> => {
        const result: unknown = await next(command, argumentList);
        if (SERVER_COMMANDS.includes(command)) {
          await status();
        }
        return result;
      },
    },
  };
  const made = new LanguageClient('redraft', 'Redraft', { command: path, args: ['lsp'] }, options);
  made.registerFeature({
    fillClientCapabilities: (capabilities) => {
      capabilities.experimental = { redraft: { applying: true, review: true, settings: true } };
    },
    initialize: () => {},
    getState: () => ({ kind: 'static' }),
    clear: () => {},
  });
  return made;
}

/** Calls a command of the server. What went wrong the server has shown by then. */
async function run(command: string, argument: object): Promise<unknown> {
  try {
    return await client?.sendRequest('workspace/executeCommand', { command, arguments: [argument] });
  } catch {
    return undefined;
  }
}

/** Writes a setting where it is set by now, or else for this user. */
async function keep({ name, value }: protocol.Setting): Promise<void> {
  const settings = vscode.workspace.getConfiguration();
  const inWorkspace = settings.inspect(name)?.workspaceValue !== undefined;
  await settings.update(name, value, inWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global);
}

function activeUri(): string | undefined {
  const uri = vscode.window.activeTextEditor?.document.uri;
  return uri === undefined ? undefined : client?.code2ProtocolConverter.asUri(uri);
}

function noServer(problem: string): void {
  const [settings, log] = ['Open Settings', 'Show Log'];
  void vscode.window.showErrorMessage(`Redraft: ${problem}`, settings, log).then((choice) => {
    if (choice === settings) {
      // On a remote machine, the settings of that machine are on a page of their own.
      const page = vscode.env.remoteName === undefined ? 'openSettings' : 'openRemoteSettings';
      void vscode.commands.executeCommand(`workbench.action.${page}`, { query: 'redraft.server.path' });
    } else if (choice === log) {
      void vscode.commands.executeCommand('redraft.showLog');
    }
  });
}

/** The first start without a model opens the walkthrough, whose first step fetches it. */
async function greet(context: vscode.ExtensionContext, status: () => Promise<protocol.Status>): Promise<void> {
  const { model } = await status();
  const greeted = 'redraft.greeted';
  if (model.state === 'missing' && context.globalState.get<boolean>(greeted) !== true) {
    await context.globalState.update(greeted, true);
    await vscode.commands.executeCommand('redraft.openWalkthrough');
  }
}

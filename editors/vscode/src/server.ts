import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The server's file name on this system. */
const PROGRAM = process.platform === 'win32' ? 'redraft.exe' : 'redraft';

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Where the server is, or why there is none. */
export type Found = { path: string } | { problem: string };

/** The server of the setting, or else the one in the extension's folder, or else the one on PATH. */
export function findServer(setting: string, extensionFolder: string): Found {
  if (setting !== '') {
    return isProgram(setting)
      ? { path: setting }
      : { problem: `redraft.server.path is ${setting}, which is no program.` };
  }
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const candidates = [join(extensionFolder, 'bin', PROGRAM), ...folders.map((folder) => join(folder, PROGRAM))];
  const path = candidates.find(isProgram);
  return path === undefined
    ? { problem: 'The program redraft came neither with this extension nor is it on PATH.' }
    : { path };
}

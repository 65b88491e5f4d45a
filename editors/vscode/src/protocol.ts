import { NotificationType, RequestType0, type Range, type TextEdit } from 'vscode-languageclient/node';

/** What the model has verified so far; ranges are of the document at `version`. */
export interface Applying {
  uri: string;
  version: number | null;
  token: string | number;
  phase: 'reading' | 'writing' | 'done';
  tokensPerSecond: number | null;
  verified: Range | null;
  hunks: TextEdit[];
}

/** A change that is still to be kept or undone. */
export interface Hunk {
  id: number;
  range: Range;
  removed: string;
}

/** The changes of a document that are still to be kept or undone. */
export interface Review {
  uri: string;
  version: number;
  hunks: Hunk[];
}

/** A setting to keep, by its whole name. */
export interface Setting {
  name: string;
  value: unknown;
}

/** What is running. */
export interface Status {
  version: string;
  model: { name: string; adapter: string | null; state: 'ready' | 'onDisk' | 'missing' | 'unusable' };
  device: string;
  kernels: string;
  tokensPerSecond: number | null;
  text: string;
}

export const applying = new NotificationType<Applying>('redraft/applying');
export const review = new NotificationType<Review>('redraft/review');
export const setting = new NotificationType<Setting>('redraft/setting');
export const status = new RequestType0<Status, void>('redraft/status');

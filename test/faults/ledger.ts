// What was sent and what was answered, on disk and outside of the system under test: an upload stands here, synced, before
// its first byte goes out, and each answer (or that none came) right after. It judges nothing.
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';

/**
 * What a line has to become: `accept`, `duplicate`, `either` of the two where another upload may be faster, `reject` with
 * a code, or `blank`.
 */
export type Expected = 'accept' | 'duplicate' | 'either' | 'reject' | 'blank';

export interface LedgerLine {
  line: number;
  /** The event's id; null where the subject has none, or the line no event. */
  id: number | null;
  expected: Expected;
  /** Of a rejection. */
  code: string | null;
  /** SHA-256 of what the row has to be; null for lines that never become one. No two lines share it. */
  hash: string | null;
}

export interface SentUpload {
  upload: string;
  subject: string;
  key: string | null;
  /** Sent when all faults are over: it has to be accepted. */
  isFresh: boolean;
  lines: LedgerLine[];
}

export interface Answered {
  upload: string;
  /** `load`: the upload itself, or its retry. `again`: repeated when all is over. `other`: its key with another payload. */
  purpose: 'load' | 'again' | 'other';
  /** null: no answer came. */
  status: number | null;
  text: string;
}

export interface LedgerContent {
  uploads: SentUpload[];
  answers: Answered[];
}

export class Ledger {
  readonly path: string;
  readonly #file: number;

  constructor(path: string) {
    this.path = path;
    this.#file = openSync(path, 'a');
  }

  /** To be called before anything of the upload is sent. */
  sends(sent: SentUpload): void {
    this.#write({ sent });
  }

  answers(answered: Answered): void {
    this.#write({ answered });
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(entry: object): void {
    writeSync(this.#file, `${JSON.stringify(entry)}\n`);
    fsyncSync(this.#file);
  }
}

/** Everything that stands in a ledger, in its order. */
export function readLedger(path: string): LedgerContent {
  const content: LedgerContent = { uploads: [], answers: [] };
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    if (line === '') continue;
    const { sent, answered } = JSON.parse(line) as { sent?: SentUpload; answered?: Answered };
    if (sent !== undefined) content.uploads.push(sent);
    if (answered !== undefined) content.answers.push(answered);
  }
  return content;
}

// A careful client: writes into the ledger what it is about to send, sends it, writes down the answer, and tries again
// with the same key wherever the contract says that it may. It judges nothing.
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectPatiently } from '../../src/client/patient-socket.ts';
import { reportIn } from './evidence.ts';
import type { Upload } from './generate.ts';
import type { Answered, Ledger } from './ledger.ts';

export interface Answer {
  /** null: none came. */
  status: number | null;
  text: string;
  retryAfter: string | undefined;
}

const NOTHING: Answer = { status: null, text: '', retryAfter: undefined };

/** An answer that never comes counts as none: beyond all bounds that the server has. */
const ANSWER_MS = 60_000;

/** Tries of one upload: outages are over long before. */
const TRIES = 400;
const PAUSE_MS = 100;

export interface SendOptions {
  /** Sent when all faults are over. */
  isFresh?: boolean;
  /** 1 where a lost answer shall stay lost. */
  tries?: number;
  /** Where the first try goes, whoever else is there. */
  first?: { url: string };
}

export class Driver {
  readonly sent: Upload[] = [];
  readonly #ledger: Ledger;
  readonly #target: () => string | undefined;

  /** @param target where the next request goes; undefined while nobody is there */
  constructor(ledger: Ledger, target: () => string | undefined) {
    this.#ledger = ledger;
    this.#target = target;
  }

  /** Writes into the ledger that an upload will be sent, for those who send it themselves. The second time is nothing. */
  announce(upload: Upload, isFresh = false): void {
    if (this.sent.includes(upload)) return;
    const { id, subject, key, lines } = upload;
    this.#ledger.sends({ upload: id, subject, key, isFresh, lines });
    this.sent.push(upload);
  }

  /**
   * Sends an upload until its report is there, or until another try could load it twice.
   * @returns the last answer
   */
  async send(upload: Upload, { isFresh = false, tries = TRIES, first }: SendOptions = {}): Promise<Answer> {
    const hasKey = upload.key !== null;
    this.announce(upload, isFresh);
    let answer = NOTHING;
    for (let attempt = 1; attempt <= tries; attempt++, await sleep(PAUSE_MS)) {
      const target = attempt === 1 && first !== undefined ? first.url : this.#target();
      if (target === undefined) continue;
      answer = await this.#ask(target, upload, 'load', upload.body);
      if (!mayBeTriedAgain(answer, hasKey)) return answer;
    }
    return answer;
  }

  /** The same once more, now that all is over: the same report has to come. */
  again(upload: Upload): Promise<Answer> {
    return this.#ask(this.#target()!, upload, 'again', upload.body);
  }

  /** Something else under the same key: it has to be refused. */
  other(upload: Upload): Promise<Answer> {
    return this.#ask(this.#target()!, upload, 'other', Buffer.concat([upload.body, Buffer.from('\n')]));
  }

  async #ask(target: string, upload: Upload, purpose: Answered['purpose'], body: Buffer): Promise<Answer> {
    const answer = await post(target, upload, body);
    this.#ledger.answers({ upload: upload.id, purpose, status: answer.status, text: answer.text });
    return answer;
  }
}

/** A request without a key whose answer is lost may have been stored: only with a key is another try safe. */
function mayBeTriedAgain({ status, text }: Answer, hasKey: boolean): boolean {
  if (status === null) return hasKey;
  if (![409, 429, 503, 507].includes(status)) return false;
  return hasKey || !text.includes('"batch_id"');
}

/** Sends an upload's body. Never rejects: what goes wrong on the way is no answer. */
export function post(target: string, upload: Pick<Upload, 'key' | 'query'>, body: Buffer): Promise<Answer> {
  return new Promise((resolve) => {
    const sent = request(`${target}/v1/events?${new URLSearchParams(upload.query)}`, {
      method: 'POST',
      agent: false,
      // An upload that is refused in the middle is answered before it has been sent.
      createConnection: connectPatiently,
      timeout: ANSWER_MS,
      headers: {
        'content-type': 'application/x-ndjson',
        'content-length': body.length,
        ...(upload.key === null ? {} : { 'idempotency-key': upload.key }),
      },
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve(NOTHING));
    sent.on('response', (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece) => pieces.push(piece));
      response.on('error', () => resolve(NOTHING));
      response.on('end', () => {
        resolve({
          status: response.statusCode!,
          text: Buffer.concat(pieces).toString(),
          retryAfter: response.headers['retry-after'],
        });
      });
      response.on('close', () => resolve(NOTHING));
    });
    sent.end(body);
  });
}

/** Ids of events that are stored for certain. */
export function storedIds(upload: Upload, answer: Answer): number[] {
  const report = reportIn({ upload: upload.id, purpose: 'load', status: answer.status, text: answer.text });
  if (report?.status !== 'promoted') return [];
  return upload.lines.flatMap(({ id }) => id ?? []);
}

// The end of the process after a signal, in the time that it is given. Requests under way are finished, as long as there
// is time to fail those that are not: bodies that are still being received are given up, with an answer and a record,
// and statements that are still running lose their connections. Whatever even then hangs, the process ends in time and
// with 0: nothing of it was acknowledged, and the next process that looks clears away what could not be recorded.
import type { Logger } from 'pino';
import { hurryUp } from './hurry.ts';
import type { Link } from './link.ts';

/** Milliseconds for failing what is under way, at most, and the share of the time that it may take. */
const FAILING_MS = 5_000;
const FAILING_SHARE = 0.25;
/** The end comes this share of {@link FAILING_MS} before the time is over: it must not be somebody else's SIGKILL. */
const MARGIN = 0.2;
/** A signal that comes so soon after the first is the same: npm passes on a ctrl-C that has reached everybody already. */
const SAME_MS = 250;

export class Draining {
  readonly #link: Link;
  readonly #log: Logger;
  readonly #failingMs: number;
  readonly #timers: NodeJS.Timeout[] = [];
  #isFailing = false;

  /**
   * Begins at once. A second signal fails at once what is under way.
   * @param drainMs the time in which the process is to have ended
   */
  constructor(drainMs: number, link: Link, log: Logger) {
    this.#link = link;
    this.#log = log;
    this.#failingMs = Math.min(FAILING_MS, drainMs * FAILING_SHARE);
    this.#after(drainMs - this.#failingMs, () => this.#fail('there is no more time'));
    const begun = performance.now();
    for (const name of ['SIGTERM', 'SIGINT'] as const) {
      process.on(name, () => {
        if (performance.now() - begun > SAME_MS) this.#fail(`a second signal: ${name}`);
      });
    }
  }

  /** Everything has ended by itself. */
  end(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #fail(reason: string): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#log.warn({ reason }, 'what is under way is given up');
    this.#link.cut('the process ends');
    hurryUp();
    // Recording the failures may hang as well.
    this.#after(this.#failingMs * (1 - 2 * MARGIN), () => this.#link.down('the process ends'));
    this.#after(this.#failingMs * (1 - MARGIN), () => {
      this.#log.warn('stopped, with work under way that was not acknowledged');
      process.exit(0);
    });
  }

  #after(ms: number, work: () => void): void {
    this.#timers.push(setTimeout(work, ms));
  }
}

// Runs tasks on the registry's worker thread, one after the other, and ends a thread that does not come back.
import { Worker } from 'node:worker_threads';
import type { CompareOptions } from '../schema/compare/compare.ts';
import type { Comparison } from '../schema/compare/difference.ts';
import type { Fault } from '../schema/faults.ts';
import { perform, type Stored, type StoredTask, type Task, undecided } from './tasks.ts';

/** On top of a comparison's own budget, before its thread is ended. */
const GRACE_MS = 5_000;
const STORED_MS = 10_000;
const PATTERNS_MS = 10_000;

// Node 20 loads no TypeScript into a worker, whatever the loader: from source the work is done right here.
const FROM_SOURCE = import.meta.url.endsWith('.ts');

type Answer = { result: unknown } | { error: string } | 'late';

async function resultOf(task: Task): Promise<Answer> {
  return { result: await perform(task) };
}

export class Workbench {
  #worker: Worker | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  /** Ends the wait for the task under way. */
  #settle: ((answer: Answer) => void) | undefined;

  /** As `compare` in schema/compare, but it never throws: what cannot be compared is undecided. */
  readonly compare = async (before: unknown, after: unknown, options: CompareOptions): Promise<Comparison> => {
    const budget = options.budgetMs ?? 5_000;
    const answer = await this.#run({ kind: 'compare', before, after, options }, budget + GRACE_MS);
    if (answer === 'late') return undecided(options, 'it took too long');
    return 'error' in answer ? undecided(options, answer.error) : (answer.result as Comparison);
  };

  /**
   * Holds a candidate against stored events.
   * @returns undefined where that took too long: a pattern of the candidate may be to blame
   */
  async judgeStored(task: Omit<StoredTask, 'kind'>): Promise<Stored | undefined> {
    const answer = await this.#run({ kind: 'stored', ...task }, STORED_MS);
    if (answer === 'late') return undefined;
    if ('error' in answer) throw new Error(answer.error);
    return answer.result as Stored;
  }

  /**
   * Regular expressions of a document that take exponential time, with an example; those that cannot be judged in time
   * are none of them.
   */
  async unsafePatterns(document: unknown): Promise<Fault[]> {
    const answer = await this.#run({ kind: 'patterns', document }, PATTERNS_MS);
    if (answer === 'late' || 'error' in answer) return [];
    return answer.result as Fault[];
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #run(task: Task, ms: number): Promise<Answer> {
    const answer = this.#queue.then(() => (FROM_SOURCE ? resultOf(task) : this.#post(task, ms)));
    this.#queue = answer.catch(() => {});
    return answer;
  }

  #post(task: Task, ms: number): Promise<Answer> {
    this.#worker ??= this.#start();
    const worker = this.#worker;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#discard(worker);
        this.#settle?.('late');
      }, ms);
      this.#settle = (answer) => {
        clearTimeout(timer);
        this.#settle = undefined;
        // An idle thread must not keep the process alive.
        worker.unref();
        resolve(answer);
      };
      worker.ref();
      worker.postMessage(task);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL('./worker.js', import.meta.url));
    const settle = (answer: Answer): void => {
      if (this.#worker === worker) this.#settle?.(answer);
    };
    worker.on('message', settle);
    worker.on('error', (error) => {
      settle({ error: (error as Error).message });
      this.#discard(worker);
    });
    worker.on('exit', () => {
      settle({ error: 'the thread ended' });
      this.#discard(worker);
    });
    return worker;
  }

  #discard(worker: Worker): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    worker.terminate().catch(() => {});
  }
}

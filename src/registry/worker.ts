// The thread that compares schemas, so that the server's own thread never stands still for it.
import { parentPort } from 'node:worker_threads';
import { perform, type Task } from './tasks.ts';

parentPort!.on('message', async (task: Task) => {
  try {
    parentPort!.postMessage({ result: await perform(task) });
  } catch (error) {
    parentPort!.postMessage({ error: (error as Error).message });
  }
});

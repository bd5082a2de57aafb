// Loaded into the server by `node --import`, so that the product needs nothing for it: measures how late its event loop
// is. SIGUSR2 begins a measurement, the next one ends it and writes the figures to BENCH_DELAY_FILE, in milliseconds.
import { renameSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

/** How often the loop is asked, in milliseconds; what is found includes it. */
const RESOLUTION_MS = 1;

// A worker of the server loads this too, and its own loop is not what requests wait for.
if (isMainThread) {
  let histogram;
  process.on('SIGUSR2', () => {
    if (histogram === undefined) {
      histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
      histogram.enable();
      return;
    }
    histogram.disable();
    const ms = (value) => value / 1e6;
    const figures = { p50: ms(histogram.percentile(50)), p99: ms(histogram.percentile(99)), max: ms(histogram.max) };
    histogram = undefined;
    // Whoever waits for the file finds it whole.
    const path = process.env.BENCH_DELAY_FILE;
    writeFileSync(`${path}.part`, JSON.stringify(figures));
    renameSync(`${path}.part`, path);
  });
}

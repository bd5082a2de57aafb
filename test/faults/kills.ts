// Random kills from a seed, one after the other, while a mixed load runs. Which fault comes when depends on the seed
// alone; where it strikes is up to the machine.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from '../helpers/server.ts';
import type { Cluster } from './cluster.ts';
import { type Random, seeded } from './random.ts';
import type { Scene } from './scene.ts';

export type Kill = 'server' | 'postgres -9' | 'postgres immediate' | 'backends';

/** Mostly the server. */
function choose(random: Random): Kill {
  const die = random.next();
  if (die < 0.7) return 'server';
  if (die < 0.8) return 'postgres -9';
  return die < 0.9 ? 'postgres immediate' : 'backends';
}

/** Longest time between a restart and the next fault. */
const MOST_PAUSE_MS = 900;

/** @returns how often each fault struck */
export async function killAtRandom(
  scene: Scene,
  cluster: Cluster,
  { seed, kills }: { seed: number; kills: number },
): Promise<Record<Kill, number>> {
  const random = seeded(seed);
  const done: Record<Kill, number> = { server: 0, 'postgres -9': 0, 'postgres immediate': 0, backends: 0 };
  for (let index = 0; index < kills; index++) {
    await sleep(random.int(20, MOST_PAUSE_MS));
    const kill = choose(random);
    done[kill]++;
    await strike(kill, scene, cluster);
  }
  return done;
}

async function strike(kill: Kill, scene: Scene, cluster: Cluster): Promise<void> {
  switch (kill) {
    case 'server': {
      const victim: Server = scene.running()[0]!;
      await scene.kill(victim);
      await scene.start();
      return;
    }
    case 'postgres -9':
      await cluster.kill();
      return cluster.start();
    case 'postgres immediate':
      await cluster.stopImmediately();
      return cluster.start();
    case 'backends':
      await cluster.terminate();
  }
}

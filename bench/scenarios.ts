// The scenarios by name, in the order in which they run.
import type { Scenario } from './scenario.ts';
import { benchAccess } from './scenarios/access.ts';
import { benchAgain } from './scenarios/again.ts';
import { benchBad } from './scenarios/bad.ts';
import { benchDelay } from './scenarios/delay.ts';
import { benchFull } from './scenarios/full.ts';
import { benchGate } from './scenarios/gate.ts';
import { benchGzip } from './scenarios/gzip.ts';
import { benchLatency } from './scenarios/latency.ts';
import { benchLoad } from './scenarios/load.ts';
import { benchMemory } from './scenarios/memory.ts';
import { benchMixed } from './scenarios/mixed.ts';
import { benchPeers } from './scenarios/peers.ts';
import { benchSingles } from './scenarios/singles.ts';
import { benchSize } from './scenarios/size.ts';
import { benchSteps } from './scenarios/steps.ts';
import { benchTogether } from './scenarios/together.ts';
import { benchWide } from './scenarios/wide.ts';

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  load: benchLoad,
  gzip: benchGzip,
  wide: benchWide,
  mixed: benchMixed,
  bad: benchBad,
  again: benchAgain,
  singles: benchSingles,
  latency: benchLatency,
  delay: benchDelay,
  memory: benchMemory,
  together: benchTogether,
  full: benchFull,
  size: benchSize,
  peers: benchPeers,
  gate: benchGate,
  access: benchAccess,
  steps: benchSteps,
};

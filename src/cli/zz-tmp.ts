import { Command } from 'commander';
import { compareCommand } from './compare.ts';

const p = new Command('schemas');
p.addCommand(compareCommand() as any);
await p.parseAsync(process.argv);

import {compareCommand} from './compare.ts';
import {Command} from 'commander';
const p=new Command('schemas'); p.addCommand(compareCommand() as any); await p.parseAsync(process.argv);

// What the routes work with. Made once, in main.ts.
import type { Access } from './access/access.ts';
import type { Config } from './config.ts';
import type { Database } from './db.ts';
import type { Presence } from './presence.ts';
import type { Schemas } from './registry/schemas.ts';
import type { Sweeper } from './sweep.ts';

export interface Service {
  config: Config;
  db: Database;
  schemas: Schemas;
  presence: Presence;
  sweeper: Sweeper;
  access: Access;
}

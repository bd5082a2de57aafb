// Who sent a request, and what of the stored things that somebody may see.

export const SCOPES = ['ingest', 'read', 'admin'] as const;
/** `admin` holds the two others. */
export type Scope = (typeof SCOPES)[number];

/** A holder of API keys: one at a time, two while a key is being replaced. */
export interface Client {
  /** null: nobody has to say who they are (AUTH=off). */
  id: string | null;
  /** The id of the key that was used; null as above. */
  keyId: string | null;
  name: string;
  scopes: ReadonlySet<Scope>;
  /** Subjects that it may send events of; null: all. */
  subjects: ReadonlySet<string> | null;
}

/** Everybody, where no keys are asked for. */
export const ANYBODY: Client = { id: null, keyId: null, name: 'anybody', scopes: new Set(SCOPES), subjects: null };

/** Whose batches, rejections and keys may be looked at: one client's, or (null) everybody's. */
export type Sight = string | null;

export function sightOf(client: Client): Sight {
  return client.scopes.has('admin') ? null : client.id;
}

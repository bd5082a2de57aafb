// The one error of the engine: a document that is not a schema it can read.

/** A fault in a schema, with its place. */
export class SchemaFault extends Error {
  /** JSON Pointer into the document. */
  readonly pointer: string;

  constructor(message: string, pointer: string) {
    super(`${message} (at "${pointer.length > 200 ? `${pointer.slice(0, 200)}…` : pointer}")`);
    this.name = 'SchemaFault';
    this.pointer = pointer;
  }
}

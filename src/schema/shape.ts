// Where each declared property of one schema version goes: the map that encoders are compiled from.

/** `nullable`: the schema may allow an explicit null there. */
export type Slot =
  | { kind: 'column' /** Into `TablePlan.columns`. */; index: number; nullable: boolean }
  | { kind: 'object'; shape: ObjectShape; nullable: boolean };

/** An object whose properties have columns of their own. */
export interface ObjectShape {
  /** Declared properties by name. One that is not in here, declared or not, belongs into `_extra`. */
  properties: ReadonlyMap<string, Slot>;
  /** Names in `properties` that every valid object has. */
  required: ReadonlySet<string>;
}

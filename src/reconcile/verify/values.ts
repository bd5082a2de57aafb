// Values in Postgres's binary form, as JSON text: what stands in a column and what should stand there, to be shown.
// Forms: the send functions of each type, https://www.postgresql.org/docs/current/protocol-overview.html#PROTOCOL-FORMAT-CODES

/** Of the types that final columns have: select oid, typname from pg_type. */
export const TYPE_OID = {
  boolean: 16,
  bigint: 20,
  integer: 23,
  text: 25,
  'double precision': 701,
  varchar: 1043,
  date: 1082,
  timestamptz: 1184,
  uuid: 2950,
  jsonb: 3802,
} as const;

/** Milliseconds from 1970-01-01 to 2000-01-01 UTC, where Postgres's time begins. */
const EPOCH_MS = 946_684_800_000;
const DAY_MS = 86_400_000;
const MOST_SHOWN = 1_000;

/** JSON text of a value; of a type that no column of ours has, its bytes in hexadecimal. */
export function jsonText(oid: number, bytes: Buffer | null): string {
  const text = bytes === null ? 'null' : wholeText(oid, bytes);
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}

function wholeText(oid: number, bytes: Buffer): string {
  switch (oid) {
    case TYPE_OID.boolean:
    case TYPE_OID.bigint:
    case TYPE_OID.integer:
    case TYPE_OID['double precision']:
      return plainText(oid, bytes);
    case TYPE_OID.jsonb:
      return bytes.toString('utf8', 1);
    default:
      return JSON.stringify(plainText(oid, bytes));
  }
}

/** The value as Postgres reads it from text. */
export function plainText(oid: number, bytes: Buffer): string {
  switch (oid) {
    case TYPE_OID.boolean:
      return String(bytes[0] === 1);
    case TYPE_OID.bigint:
      return String(bytes.readBigInt64BE());
    case TYPE_OID.integer:
      return String(bytes.readInt32BE());
    case TYPE_OID['double precision']:
      return String(bytes.readDoubleBE());
    case TYPE_OID.text:
    case TYPE_OID.varchar:
      return bytes.toString('utf8');
    case TYPE_OID.date:
      return dateText(bytes.readInt32BE());
    case TYPE_OID.timestamptz:
      return timeText(bytes.readBigInt64BE());
    case TYPE_OID.uuid:
      return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    default:
      return `\\x${bytes.toString('hex')}`;
  }
}

function dateText(days: number): string {
  const date = new Date(EPOCH_MS + days * DAY_MS);
  return Number.isNaN(date.getTime()) ? `${days} days` : date.toISOString().slice(0, 10);
}

function timeText(micros: bigint): string {
  const second = micros - (((micros % 1_000_000n) + 1_000_000n) % 1_000_000n);
  const date = new Date(EPOCH_MS + Number(second / 1_000n));
  if (Number.isNaN(date.getTime())) return `${micros} us`;
  return `${date.toISOString().slice(0, 19)}.${String(micros - second).padStart(6, '0')}Z`;
}

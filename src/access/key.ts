// The text of an API key: `sluice_<id>_<secret>`. The id is public and stands in lists and logs; of the rest only a
// hash is ever kept.
import { createHash, randomBytes, randomInt } from 'node:crypto';

/** Bytes of the secret. */
const SECRET_BYTES = 32;
const ID_LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';
const ID_LENGTH = 12;

/** 43 characters are 32 bytes in base64url (RFC 4648 section 5), without padding. */
const KEY = /^sluice_([a-z0-9]{12})_[A-Za-z0-9_-]{43}$/;

export interface NewKey {
  id: string;
  /** To be shown once. */
  text: string;
  hash: Buffer;
}

export function newKey(): NewKey {
  const id = Array.from({ length: ID_LENGTH }, () => ID_LETTERS[randomInt(ID_LETTERS.length)]).join('');
  const text = `sluice_${id}_${randomBytes(SECRET_BYTES).toString('base64url')}`;
  return { id, text, hash: hashOf(text) };
}

/** The id in a key, or undefined where the text is none. */
export function keyIdOf(text: string): string | undefined {
  return KEY.exec(text)?.[1];
}

/** SHA-256 of the whole key. Its secret is 32 random bytes: there is nothing that a slow or salted hash would hide. */
export function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** True for what {@link keyIdOf} would name a key, without its secret: what a command line takes. */
export function isKeyId(text: string): boolean {
  return text.length === ID_LENGTH && [...text].every((letter) => ID_LETTERS.includes(letter));
}

// Chance that is the same on every machine.

/** Mulberry32: small, quick and the same everywhere. Numbers from 0 up to, not including, 1. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One of several. */
export function pick<T>(next: () => number, from: readonly T[]): T {
  return from[Math.floor(next() * from.length)]!;
}

/** A version 4 UUID, as far as 53 bits of chance go round. */
export function uuid(next: () => number): string {
  const part = (): string =>
    Math.floor(next() * 0x1_0000_0000)
      .toString(16)
      .padStart(8, '0');
  const hex = part() + part() + part() + part();
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}

const BASE = Date.UTC(2026, 0, 1);

/** A time within a year, as RFC 3339 has it. */
export function time(next: () => number): string {
  return `${new Date(BASE + Math.floor(next() * 31_000_000_000)).toISOString().slice(0, 19)}Z`;
}

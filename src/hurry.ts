// Told to everybody who waits for a client: the process ends now, and will wait for nobody any longer.
// One for the whole process, as there is one end of it.

const hurry = new AbortController();

/** Aborted when bodies that are still being received are to be given up. */
export const hurried: AbortSignal = hurry.signal;

/** Gives them up. */
export function hurryUp(): void {
  hurry.abort();
}

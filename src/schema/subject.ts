// `<subject>/subject.json`: how the versions of a subject may change. Bytes → settings, or faults with their places.
import { MODES, type Mode } from './compare/difference.ts';
import { isSchemaObject } from './dialect.ts';
import { parseDocument } from './document.ts';
import type { Findings } from './faults.ts';

/** Which documents count: all of them, or only those that hold no other than declared members. */
export type Policy = 'strict' | 'lenient';

export interface SubjectSettings {
  /** What a version must keep towards the earlier ones of its major. */
  compatibility: Mode;
  policy: Policy;
}

export const DEFAULT_SETTINGS: SubjectSettings = { compatibility: 'BACKWARD_TRANSITIVE', policy: 'strict' };

const ALLOWED: { [Name in keyof SubjectSettings]: readonly SubjectSettings[Name][] } = {
  compatibility: MODES,
  policy: ['strict', 'lenient'],
};

/** Reads a subject's settings. What is wrong with them goes to `findings`; the default stands in its place. */
export function readSettings(file: string, bytes: Uint8Array, findings: Findings): SubjectSettings {
  const parsed = parseDocument(bytes);
  if ('reason' in parsed) {
    findings.fault(file, parsed.place, parsed.reason);
    return DEFAULT_SETTINGS;
  }
  const { value } = parsed;
  if (!isSchemaObject(value)) {
    findings.fault(file, '', 'must be an object');
    return DEFAULT_SETTINGS;
  }
  for (const name of Object.keys(value)) {
    if (Object.hasOwn(ALLOWED, name)) continue;
    const place = `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    findings.fault(file, place, `is not known: known are ${Object.keys(ALLOWED).join(', ')}`);
  }
  const settingOf = <Name extends keyof SubjectSettings>(name: Name): SubjectSettings[Name] => {
    if (!Object.hasOwn(value, name)) return DEFAULT_SETTINGS[name];
    const known = ALLOWED[name].find((each) => each === value[name]);
    if (known === undefined) findings.fault(file, `/${name}`, `must be one of ${ALLOWED[name].join(', ')}`);
    return known ?? DEFAULT_SETTINGS[name];
  };
  return { compatibility: settingOf('compatibility'), policy: settingOf('policy') };
}

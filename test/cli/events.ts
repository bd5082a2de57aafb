// Lines of `user_event` for the tests of the command line.

export function good(index = 0): string {
  const data = { user_email: `user${index}@example.com`, phone_number: '+44 20 7946 0958' };
  return `${JSON.stringify({ event_type: index, event_time: '2026-11-20T08:15:30Z', data, processing_date: '2026-11-20' })}\n`;
}

/** Has no valid time. */
export function bad(index = 0): string {
  return good(index).replace('2026-11-20T08:15:30Z', 'tomorrow');
}

// A subject with a column of every type, open to what it does not declare.
export const THING = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  type: 'object',
  required: ['id'],
  properties: {
    id: { type: 'string', 'x-id': true },
    whole: { type: 'integer' },
    number: { type: 'number' },
    flag: { type: 'boolean' },
    text: { type: ['string', 'null'] },
    moment: { type: 'string', format: 'date-time' },
    day: { type: 'string', format: 'date' },
    clock: { type: 'string', format: 'time' },
    span: { type: 'string', format: 'duration' },
    uid: { type: 'string', format: 'uuid' },
    short: { type: 'string', maxLength: 5 },
    colour: { enum: ['red', 'green', null] },
    small: { type: 'integer', minimum: -32_768, maximum: 32_767 },
    inner: { type: 'object', properties: { flag: { type: 'boolean' } } },
    list: { type: 'array' },
    any: {},
  },
};

export const THINGS = { 'thing/1.0.0.json': THING };

/** A line of it: `members` is JSON text, so that it can be what JSON.stringify never gives. */
export const thing = (id: string, members = ''): string =>
  `{"id":${JSON.stringify(id)}${members === '' ? '' : `,${members}`}}`;

/** Server-sent events out of text that arrives in pieces. */

/** @typedef {{name: string, data: string, id: string}} RawEvent */

export class SseParser {
  constructor() {
    this.rest = '';
    /** @type {string[]} */
    this.data = [];
    this.name = '';
    this.id = '';
  }

  /**
   * @param {string} text cut anywhere
   * @returns {RawEvent[]} those that are complete now
   */
  feed(text) {
    /** @type {RawEvent[]} */
    const events = [];
    this.rest += text;
    for (;;) {
      const end = this.rest.search(/[\r\n]/);
      // A carriage return at the very end may be half of a line break.
      if (end < 0 || (this.rest[end] === '\r' && end === this.rest.length - 1)) return events;
      const line = this.rest.slice(0, end);
      const length = this.rest.startsWith('\r\n', end) ? 2 : 1;
      this.rest = this.rest.slice(end + length);
      const event = this.line(line);
      if (event) events.push(event);
    }
  }

  /**
   * @param {string} line
   * @returns {RawEvent | null}
   */
  line(line) {
    if (line === '') {
      const event = { name: this.name || 'message', data: this.data.join('\n'), id: this.id };
      const complete = this.data.length > 0;
      this.data = [];
      this.name = '';
      return complete ? event : null;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return null; // a comment, which keeps the line open
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') this.data.push(value);
    else if (field === 'event') this.name = value;
    else if (field === 'id' && !value.includes('\0')) this.id = value;
    return null;
  }
}

/** The mails a server wrote into its folder (`EMAIL_BACKEND=file`). */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const WAIT_MS = 20_000;

export class Mailbox {
  /** @param {string} data the server's data folder */
  constructor(data) {
    this.folder = join(data, 'mail');
    /** Those that have been read. @type {Set<string>} */
    this.read = new Set();
  }

  /**
   * The link in the next mail to somebody, when it has come.
   * @param {string} address
   * @param {string} path how the link's path begins
   * @returns {Promise<string>}
   */
  async link(address, path) {
    const until = Date.now() + WAIT_MS;
    for (;;) {
      for (const name of existsSync(this.folder) ? readdirSync(this.folder).sort() : []) {
        if (this.read.has(name) || !name.endsWith('.eml')) continue;
        const mail = readFileSync(join(this.folder, name), 'utf8');
        const found = bodies(mail).match(new RegExp(`https?://[^\\s"<>]+${path}[^\\s"<>]*`));
        if (!found || !mail.includes(`To: ${address}`)) continue;
        this.read.add(name);
        return found[0].replaceAll('&amp;', '&');
      }
      if (Date.now() > until) throw new Error(`no mail to ${address} with a link to ${path}; there are ${existsSync(this.folder) ? readdirSync(this.folder) : 'none'}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/**
 * The parts of a mail, decoded.
 * @param {string} mail
 * @returns {string}
 */
function bodies(mail) {
  const encoded = [...mail.matchAll(/Content-Transfer-Encoding: base64\r?\n(?:[^\r\n]+\r?\n)*\r?\n([A-Za-z0-9+/=\r\n]+)/gi)];
  const plain = encoded.map(([, text]) => Buffer.from(text, 'base64').toString('utf8'));
  const quoted = mail.replace(/=\r?\n/g, '').replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return [...plain, quoted].join('\n');
}

/** Text in which what was looked for is marked. */

/**
 * What stands between U+E000 and U+E001 was found.
 * @param {string} snippet
 * @returns {{text: string, found: boolean}[]}
 */
export function pieces(snippet) {
  return snippet
    .split(/(\uE000[^\uE001]*\uE001?)/)
    .map((part) => ({ text: part.replace(/[\uE000\uE001]/g, ''), found: part.startsWith('\uE000') }))
    .filter(({ text }) => text !== '');
}

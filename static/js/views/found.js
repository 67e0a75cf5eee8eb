/** Marks on a page what was looked for in the list before, without touching the words. */

/**
 * @param {HTMLElement} place
 * @param {string} query
 */
export function showFound(place, query) {
  const wanted = query.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  if (wanted.length === 0) return;
  /** @type {Range[]} */
  const ranges = [];
  const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (const { 0: word, index } of (node.textContent ?? '').matchAll(/[\p{L}\p{N}]+/gu)) {
      if (!wanted.some((begin) => word.toLowerCase().startsWith(begin))) continue;
      const range = new Range();
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      ranges.push(range);
    }
  }
  if (ranges.length === 0) return;
  // Browsers without highlights still come to the place.
  if (CSS.highlights) CSS.highlights.set('found', new Highlight(...ranges));
  ranges[0].startContainer.parentElement?.closest('li')?.scrollIntoView({ block: 'center' });
}

/** Small drawings for buttons that scripts make. */

const SPACE = 'http://www.w3.org/2000/svg';

export const PENCIL = ['M4.5 19.5l1-4.5L16 4.5a2.1 2.1 0 0 1 3 0l.5.5a2.1 2.1 0 0 1 0 3L9 18.5z', 'M14.5 6.5l3 3'];
export const BIN = ['M5 7h14M10 4.5h4M6.5 7l1 12.5h9L17.5 7', 'M10.2 11v5M13.8 11v5'];
export const HEAR = ['M4.5 9.500v5h3.500l4.5 4V5.500L8 9.500z', 'M16 9a4.2 4.2 0 0 1 0 6M18.5 6.500a8 8 0 0 1 0 11'];

/** @param {string[]} paths */
export function icon(paths) {
  const svg = document.createElementNS(SPACE, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  for (const d of paths) {
    const path = document.createElementNS(SPACE, 'path');
    path.setAttribute('d', d);
    svg.append(path);
  }
  return svg;
}

/**
 * A button that is only a drawing.
 * @param {string[]} paths
 * @param {string} label what it does, in words
 * @param {() => void} act
 */
export function iconButton(paths, label, act) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'small-button';
  button.setAttribute('aria-label', label);
  button.title = label;
  button.append(icon(paths));
  button.onclick = act;
  return button;
}

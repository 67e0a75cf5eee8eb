/** The two things every view does with the document. */

/**
 * The element with this id, which the template has.
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function find(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new TypeError(`the page has no ${kind.name} with the id ${id}`);
  return element;
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} className
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/**
 * A button of a row.
 * @param {string} label
 * @param {string} tone
 * @param {string} name in full, for those who do not see the row
 * @param {() => void} act
 */
export function button(label, tone, name, act) {
  const element = make('button', `button ${tone}`.trim(), label);
  element.type = 'button';
  element.setAttribute('aria-label', name);
  element.onclick = act;
  return element;
}

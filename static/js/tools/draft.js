/** Words begun, kept while one is led to the log-in and back. */
export class Draft {
  /**
   * @param {string} name
   * @param {HTMLTextAreaElement} field
   */
  constructor(name, field) {
    this.key = `aigolos.draft.${name}`;
    try {
      field.value ||= sessionStorage.getItem(this.key) ?? '';
      window.addEventListener('pagehide', () => (field.value ? sessionStorage.setItem(this.key, field.value) : this.forget()));
    } catch {
      // A browser that keeps nothing.
    }
  }

  forget() {
    try {
      sessionStorage.removeItem(this.key);
    } catch {
      // As above.
    }
  }
}

/** The talk button and the space bar, as press and release. */

export class PushToTalk {
  /**
   * @param {HTMLButtonElement} button
   * @param {{ready: () => boolean, onPress: () => void, onRelease: () => void}} handlers `ready`: presses count
   */
  constructor(button, handlers) {
    this.button = button;
    this.handlers = handlers;
    this.pressed = false;
    button.addEventListener('pointerdown', (event) => {
      if (event.button !== 0 || !handlers.ready()) return;
      button.setPointerCapture(event.pointerId);
      this.press();
    });
    for (const end of ['pointerup', 'pointercancel', 'lostpointercapture']) {
      button.addEventListener(end, () => this.release());
    }
    button.addEventListener('contextmenu', (event) => handlers.ready() && event.preventDefault());
    document.addEventListener('keydown', (event) => this.key(event));
    document.addEventListener('keyup', (event) => this.key(event));
    window.addEventListener('blur', () => this.release());
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.code !== 'Space' || event.ctrlKey || event.altKey || event.metaKey) return;
    if (!this.handlers.ready() || (!this.pressed && this.belongsElsewhere(event.target))) return;
    event.preventDefault();
    if (event.type === 'keyup') this.release();
    else if (!event.repeat) this.press();
  }

  /** @param {EventTarget | null} target where the space bar already means something */
  belongsElsewhere(target) {
    if (!(target instanceof HTMLElement) || target === this.button) return false;
    if (target instanceof HTMLInputElement) return target.type !== 'radio';
    return target.isContentEditable || target.closest('button, a, select, textarea, dialog') !== null;
  }

  /** For those who cannot hold: one press begins, the next one ends. */
  toggle() {
    if (this.pressed) this.release();
    else if (this.handlers.ready()) this.press();
  }

  press() {
    if (this.pressed) return;
    this.pressed = true;
    this.handlers.onPress();
  }

  release() {
    if (!this.pressed) return;
    this.pressed = false;
    this.handlers.onRelease();
  }
}

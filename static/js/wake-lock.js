/** Keeps a phone's screen on while one talks; a locked screen takes the microphone away. */

export class WakeLock {
  constructor() {
    /** @type {WakeLockSentinel | null} */
    this.lock = null;
    this.wanted = false;
    document.addEventListener('visibilitychange', () => this.wanted && void this.hold());
  }

  async hold() {
    this.wanted = true;
    if (!('wakeLock' in navigator) || document.visibilityState !== 'visible') return;
    try {
      const lock = await navigator.wakeLock.request('screen');
      if (this.wanted) this.lock = lock;
      else await lock.release();
    } catch {
      // A low battery, or a browser that does not want to: talking works without.
    }
  }

  release() {
    this.wanted = false;
    this.lock?.release().catch(() => {});
    this.lock = null;
  }
}

/**
 * The circle: a ring that moves with whichever voice sounds, warm for the person's and green for the machine's.
 * It is drawn only while something is live; where motion is unwelcome, the level shows as the ring's thickness.
 */

/** @typedef {'idle' | 'connecting' | 'listening' | 'hearing' | 'thinking' | 'speaking' | 'muted' | 'waiting'} Mood */

const RINGS = 3;
const POINTS = 120;

export class Orb {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    /** @type {Mood} */
    this.mood = 'idle';
    this.target = 0;
    this.level = 0;
    this.phase = 0;
    this.turn = 0;
    this.warmth = 0.5;
    this.frame = 0;
    this.before = 0;
    this.still = matchMedia('(prefers-reduced-motion: reduce)');
    const again = () => this.wake();
    new ResizeObserver(again).observe(canvas);
    const recolour = () => {
      this.readColours();
      again();
    };
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', recolour);
    new MutationObserver(recolour).observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    this.still.addEventListener('change', again);
    this.readColours();
  }

  readColours() {
    const style = getComputedStyle(this.canvas);
    this.you = colour(style.getPropertyValue('--you'));
    this.it = colour(style.getPropertyValue('--it'));
    this.paper = style.getPropertyValue('--paper');
  }

  /** @param {Mood} mood */
  show(mood) {
    if (mood === this.mood) return;
    this.mood = mood;
    if (mood === 'idle' || mood === 'muted' || mood === 'waiting') this.target = 0;
    this.wake();
  }

  /** @param {number} level root mean square, 0 to 1 */
  hear(level) {
    const decibels = 20 * Math.log10(Math.max(level, 1e-6));
    this.target = Math.min(1, Math.max(0, (decibels + 52) / 40));
    this.wake();
  }

  wake() {
    this.frame ||= requestAnimationFrame((now) => this.draw(now));
  }

  /** Whether the thinking turn has been undone. */
  get posed() {
    return Math.abs(Math.sin(this.turn / 2)) < 0.005;
  }

  /** @param {number} now */
  draw(now) {
    this.frame = 0;
    const seconds = Math.min(0.05, (now - this.before) / 1000);
    this.before = now;
    const still = this.still.matches;
    this.level += (this.target - this.level) * (this.target > this.level ? 0.4 : 0.1);
    if (!still) {
      this.phase += seconds * (0.5 + this.level * 3);
      if (this.mood === 'thinking' || this.mood === 'connecting') this.turn += seconds * 3.2;
      else this.turn += (Math.round(this.turn / (2 * Math.PI)) * 2 * Math.PI - this.turn) * 0.08; // back to the mark's pose
    }
    const warm = { hearing: 1, listening: 0.8, speaking: 0 }[/** @type {string} */ (this.mood)] ?? 0.5;
    this.warmth += (warm - this.warmth) * (still ? 1 : 0.12);
    this.paint(still);
    const settling = !still && !this.posed;
    const moving = this.mood !== 'idle' && this.mood !== 'muted' && this.mood !== 'waiting' && !still;
    if (moving || Math.abs(this.target - this.level) > 0.005 || Math.abs(warm - this.warmth) > 0.01 || settling) this.wake();
  }

  /** @param {boolean} still */
  paint(still) {
    const { canvas, pen } = this;
    const scale = Math.min(2, devicePixelRatio || 1);
    const size = Math.round(canvas.clientWidth * scale);
    if (size === 0) return;
    if (canvas.width !== size) canvas.width = canvas.height = size;
    const middle = size / 2;
    const radius = size * 0.4;
    pen.clearRect(0, 0, size, size);

    const away = ['muted', 'waiting'].includes(this.mood);
    pen.setLineDash(away ? [radius * 0.05, radius * 0.05] : []);
    const swell = still ? 0 : 0.012 + this.level * 0.12;
    for (let ring = RINGS - 1; ring >= 0; ring--) {
      if ((still || this.mood === 'idle' || away) && ring > 0) continue;
      this.trace(middle, radius, this.mood === 'idle' || away ? 0 : swell * (1 - ring * 0.22), ring);
      if (ring === 0) {
        pen.fillStyle = this.paper ?? '#fff';
        pen.fill();
      }
      pen.strokeStyle = this.gradient(middle, radius, [1, 0.5, 0.26][ring]);
      pen.lineWidth = scale * (still ? 4 + this.level * 12 : [3.5, 2.5, 2][ring]);
      pen.stroke();
    }
    pen.setLineDash([]);
  }

  /**
   * @param {number} middle
   * @param {number} radius
   * @param {number} swell how far the ring leaves the circle, as a part of the radius
   * @param {number} ring
   */
  trace(middle, radius, swell, ring) {
    const { pen, phase } = this;
    pen.beginPath();
    for (let i = 0; i <= POINTS; i++) {
      const angle = (i / POINTS) * Math.PI * 2;
      const wave =
        Math.sin(3 * angle + phase * 2.1 + ring * 1.3) * 0.5 +
        Math.sin(5 * angle - phase * 2.9 + ring * 2.1) * 0.32 +
        Math.sin(2 * angle + phase * 1.3 - ring) * 0.36;
      const r = radius * (1 + swell * wave);
      pen.lineTo(middle + Math.cos(angle) * r, middle + Math.sin(angle) * r);
    }
    pen.closePath();
  }

  /**
   * @param {number} middle
   * @param {number} radius
   * @param {number} alpha
   */
  gradient(middle, radius, alpha) {
    const dx = Math.cos(this.turn) * radius;
    const dy = Math.sin(this.turn) * radius;
    const fill = this.pen.createLinearGradient(middle - dx, middle - dy, middle + dx, middle + dy);
    // At 0.5 one half is the person's and the other the machine's, as in the mark.
    const you = this.you ?? [0, 0, 0];
    const it = this.it ?? [0, 0, 0];
    const left = mix(it, you, Math.min(1, this.warmth * 2), alpha);
    const right = mix(it, you, Math.max(0, this.warmth * 2 - 1), alpha);
    fill.addColorStop(0.42, left);
    fill.addColorStop(0.58, right);
    return fill;
  }
}

/**
 * @param {string} hex as `#rrggbb`
 * @returns {number[]}
 */
function colour(hex) {
  const value = Number.parseInt(hex.trim().slice(1), 16) || 0;
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

/**
 * @param {number[]} from
 * @param {number[]} to
 * @param {number} part
 * @param {number} alpha
 */
function mix(from, to, part, alpha) {
  const [r, g, b] = from.map((value, i) => Math.round(value + (to[i] - value) * part));
  return `rgb(${r} ${g} ${b} / ${alpha})`;
}

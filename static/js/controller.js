/**
 * The one place where everything meets: session, sound and views. Views show and emit, the session and the sound know
 * nothing of each other; what follows from what stands here.
 */

import { Sound, soundPossible } from './audio.js';
import { Conversation } from './conversation.js';
import { Diagnostics } from './diagnostics.js';
import { t } from './i18n.js';
import { socketAddress } from './messages.js';
import { Microphone } from './microphone.js';
import { loadPreferences, savePreferences } from './preferences.js';
import * as problems from './problems.js';
import { Session } from './protocol.js';
import { PushToTalk } from './push-to-talk.js';
import { Replies } from './replies.js';
import { Announcer } from './views/announcer.js';
import { Composer } from './views/composer.js';
import { Notices } from './views/notices.js';
import { Settings } from './views/settings.js';
import { Stage } from './views/stage.js';
import { Timeline } from './views/timeline.js';
import { Transcript } from './views/transcript.js';
import { WakeLock } from './wake-lock.js';

/**
 * @typedef {import('./messages.js').SessionUpdate} SessionUpdate
 * @typedef {import('./preferences.js').Preferences} Preferences
 * @typedef {import('./protocol.js').Link} Link
 */

/** Sound kept from before the talk button went down, and after it came up: people press late and let go early. */
const BEFORE_PRESS_CHUNKS = 15;
const AFTER_RELEASE_MS = 200;

export class Controller {
  constructor() {
    this.preferences = loadPreferences();
    this.diagnostics = new Diagnostics();
    this.wakeLock = new WakeLock();
    this.live = false;
    this.starting = false;
    this.muted = false;
    /** In push-to-talk: the microphone's sound goes to the server. */
    this.sending = false;
    /** @type {Uint8Array<ArrayBuffer>[]} */
    this.before = [];
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.commitTimer = undefined;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.countdown = undefined;

    this.sound = new Sound({
      onChunk: (samples, level) => this.captured(samples, level),
      onPlayback: (report) => this.played(report),
      onMicrophoneLost: () => void this.reopenMicrophone(),
      onMicrophoneSilenced: (silenced) => this.microphone.silenced(silenced && !this.muted),
      onRunning: (running) => (running ? this.notices.clear('sound') : this.live && this.notices.show(problems.soundBlocked())),
      onDevices: () => void this.microphone.changed(this.preferences.microphone),
    });
    this.session = new Session(socketAddress(document.baseURI), {
      onEvent: (event) => {
        this.conversation.event(event);
        this.show();
      },
      onAudio: (turn, _chunk, frame, offset) => this.replies.audio(turn, frame, offset),
      onLink: (link) => this.linked(link),
    });
    this.replies = new Replies(this.sound, {
      onHeard: (turn, playedMs) => this.session.send({ type: 'playback.ack', turn, played_ms: playedMs }),
      onText: (turn, text) => text && this.transcript.spoken(turn, text),
      onEnd: (turn, text, ending) => this.conversation.replyEnded(turn, text, ending),
      onTimings: (timings, playbackMs) => this.timeline.show(timings, playbackMs),
      onChange: () => this.show(),
    });

    this.stage = new Stage();
    this.transcript = new Transcript();
    this.timeline = new Timeline();
    this.announcer = new Announcer();
    this.notices = new Notices((remedy) => this.remedy(remedy));
    this.settings = new Settings(this.preferences, (change) => this.change(change), () => this.settingsOpened());
    this.microphone = new Microphone(this.sound, {
      onProblem: (problem) => this.notices.show(problem),
      onSolved: (key) => this.notices.clear(key),
      onList: (devices) => this.settings.microphones(devices, this.preferences.microphone),
      onMoved: () => void this.reopenMicrophone(),
    });
    this.composer = new Composer((text) => this.type(text));
    this.conversation = new Conversation({
      transcript: this.transcript,
      replies: this.replies,
      announcer: this.announcer,
      onProblem: (problem) => this.notices.show(problem),
      onAnswer: () => this.notices.clear('turn'),
      onReady: (ready) => this.ready(ready),
    });
    this.pushToTalk = new PushToTalk(this.stage.talk, {
      ready: () => this.live && this.preferences.pushToTalk,
      onPress: () => this.pressed(),
      onRelease: () => this.released(),
    });
    this.listen();
    this.show();
    if (!soundPossible()) this.notices.show(globalThis.isSecureContext ? problems.soundUnsupported() : problems.insecureContext());
  }

  listen() {
    const { talk, mute, stopReply, end, modes } = this.stage;
    talk.onclick = ({ detail }) => {
      if (this.live && this.preferences.pushToTalk) {
        if (detail === 0) this.pushToTalk.toggle(); // by keyboard or assistive technology; the pointer has pressed already
      } else if (this.live || this.starting) {
        this.stop();
      } else {
        void this.start();
      }
    };
    mute.onclick = () => this.mute(!this.muted);
    stopReply.onclick = () => this.stopReply();
    end.onclick = () => {
      this.stop();
      talk.focus(); // the button pressed has gone
    };
    for (const mode of modes) mode.onchange = () => this.change({ pushToTalk: mode.value === 'push' });
    document.addEventListener('keydown', ({ key }) => key === 'Escape' && !this.settings.dialog.open && this.stopReply());
    for (const gesture of ['pointerdown', 'keydown']) document.addEventListener(gesture, () => this.sound.wake());
    window.addEventListener('online', () => this.session.retry());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState !== 'visible') return;
      this.session.retry();
      this.sound.wake();
    });
    window.addEventListener('pagehide', ({ persisted }) => !persisted && this.session.end());
  }

  // What the person does

  async start() {
    if (!soundPossible()) {
      this.notices.show(globalThis.isSecureContext ? problems.soundUnsupported() : problems.insecureContext());
      return;
    }
    this.starting = true;
    this.notices.clear('microphone');
    this.show();
    const opened = await this.openMicrophone();
    if (!this.starting) {
      this.sound.closeMicrophone(); // stopped while the browser was asking
      return;
    }
    this.starting = false;
    this.live = opened;
    if (opened) {
      this.mute(false);
      void this.wakeLock.hold();
      this.connect();
      this.announcer.say(t(this.preferences.pushToTalk ? 'live.say.ready' : 'live.say.listening'));
    }
    this.show();
  }

  stop() {
    this.live = this.starting = this.sending = false;
    this.conversation.rest();
    this.before = [];
    clearTimeout(this.commitTimer);
    this.pushToTalk.pressed = false;
    this.sound.closeMicrophone();
    this.wakeLock.release();
    this.stopReply();
    this.session.end();
    this.conversation.lost();
    this.notices.clear('silence');
    this.notices.clear('sound');
    this.announcer.say(t('live.say.stopped'));
    this.show();
  }

  /** @param {boolean} muted */
  mute(muted) {
    if (this.muted !== muted) this.announcer.say(t(muted ? 'live.say.muted' : 'live.say.listening'));
    this.muted = muted;
    this.sound.mute(muted);
    if (muted) this.notices.clear('silence');
    this.show();
  }

  /** @param {string} text */
  type(text) {
    this.stopPlayback();
    this.notices.clear('turn');
    if (!this.session.wanted) this.connect();
    if (!this.session.send({ type: 'text.send', text })) return false;
    this.transcript.type(text);
    this.conversation.due = true;
    this.show();
    return true;
  }

  stopReply() {
    const turn = this.stopPlayback();
    if (turn !== null) this.session.send({ type: 'reply.cancel', turn });
  }

  stopPlayback() {
    return this.replies.stop();
  }

  pressed() {
    clearTimeout(this.commitTimer);
    this.stopReply();
    this.notices.clear('turn');
    this.sending = true;
    for (const samples of this.before) this.session.sendAudio(samples);
    this.before = [];
    this.show();
  }

  released() {
    this.show();
    this.commitTimer = setTimeout(() => {
      if (!this.sending) return;
      this.sending = false;
      this.conversation.due = true;
      this.session.send({ type: 'audio.commit' });
      this.show();
    }, AFTER_RELEASE_MS);
  }

  /** @param {Partial<Preferences>} change */
  change(change) {
    Object.assign(this.preferences, change);
    savePreferences(this.preferences);
    if ('microphone' in change && (this.live || this.starting)) void this.openMicrophone();
    if ('pushToTalk' in change) {
      this.sending = this.conversation.hearing = false;
      this.session.update({ turn_detection: this.turnDetection });
      if (this.muted) this.mute(false);
    }
    /** @type {SessionUpdate} */
    const update = {};
    if (change.voice) update.voice = change.voice;
    if (change.language) update.language = change.language;
    if (change.speed) update.speed = change.speed;
    if (change.speak !== undefined) update.speak = this.speak;
    if (Object.keys(update).length > 0) this.session.update(update);
    this.show();
  }

  /** @param {NonNullable<problems.Problem['remedy']>} remedy */
  remedy(remedy) {
    if (remedy === 'reconnect') this.session.retry();
    else if (remedy === 'sound') this.sound.wake();
    else if (!this.live) void this.start();
    this.stage.talk.focus();
  }

  settingsOpened() {
    void this.microphone.list();
    if (!this.session.wanted) this.connect();
  }

  // Sound

  /** @returns {Promise<boolean>} whether one is open now */
  async openMicrophone() {
    const opened = await this.microphone.open(this.preferences.microphone);
    // The rate is fixed for a session; another one goes on with the conversation.
    if (opened && this.session.wanted && this.session.options?.audio.sample_rate !== this.sound.inputRate) {
      this.session.end();
      if (this.live) this.connect();
    }
    return opened;
  }

  /** The one in use is gone, or no longer the system's choice. */
  async reopenMicrophone() {
    if (!this.live) return;
    if (await this.openMicrophone()) {
      this.announcer.say(t('live.say.microphone', { name: this.sound.microphone?.label ?? t('live.say.another') }));
      return;
    }
    this.stop();
    this.notices.show(problems.microphoneLost());
  }

  /**
   * @param {Uint8Array<ArrayBuffer>} samples
   * @param {import('./audio.js').Level} level
   */
  captured(samples, level) {
    this.diagnostics.microphone.add(level.at, level.level);
    this.settings.hear(level.level);
    if (!this.live) return;
    if (!this.replies.audible && !this.muted) this.stage.orb.hear(level.level);
    this.microphone.watch(level.peak, this.muted);
    const push = this.preferences.pushToTalk;
    if (!push || this.sending) {
      this.session.sendAudio(samples);
    } else {
      this.before.push(samples.slice());
      if (this.before.length > BEFORE_PRESS_CHUNKS) this.before.shift();
    }
  }

  /** @param {import('./audio.js').PlaybackReport} report */
  played(report) {
    const { diagnostics } = this;
    diagnostics.loudspeaker.add(report.at, report.level);
    diagnostics.playedMs = report.playedMs;
    diagnostics.underruns = report.underruns;
    diagnostics.refusedChunks = report.refused;
    if (report.state !== 'idle') this.stage.orb.hear(report.level);
    this.replies.played(report);
  }

  // The session

  get speak() {
    return this.preferences.speak && soundPossible();
  }

  /** @returns {import('./messages.js').TurnDetection} */
  get turnDetection() {
    return { type: this.preferences.pushToTalk ? 'manual' : 'vad' };
  }

  /** Starts a session, with the sound's rates where there is sound. */
  connect() {
    const begin = () => {
      if (this.session.options && this.session.wanted) return;
      const { voice, language, speed } = this.preferences;
      this.session.start({
        audio: { encoding: 'pcm_s16le', sample_rate: this.sound.inputRate },
        output: { encoding: 'pcm_s16le', sample_rate: this.sound.outputRate },
        ...(voice && { voice }),
        ...(language && { language }),
        speed,
        speak: this.speak,
        turn_detection: this.turnDetection,
      });
    };
    if (soundPossible()) this.sound.prepare().catch((error) => this.notices.show(problems.microphoneProblem(error)));
    begin();
  }

  /** @param {Link} link */
  linked(link) {
    clearInterval(this.countdown);
    if (link.state === 'open' || link.state === 'connecting') {
      if (link.state === 'open') this.notices.clear('link');
    } else if (link.state === 'waiting') {
      const until = performance.now() + link.delayMs;
      const tell = () => {
        const seconds = Math.max(1, Math.round((until - performance.now()) / 1000));
        this.notices.show(problems.linkProblem(link.cause, seconds));
      };
      tell();
      this.countdown = setInterval(tell, 1000);
    } else {
      this.sessionOver(link.reason);
    }
    this.show();
  }

  /** @param {string} reason */
  sessionOver(reason) {
    this.notices.clear('link');
    if (reason === 'client_ended') return;
    // Who may no longer come in is led to the log-in; anybody else finds a fresh page.
    if (reason === 'revoked') return location.reload();
    const wasLive = this.live;
    if (wasLive) this.stop();
    if (reason === 'idle') {
      if (wasLive) this.notices.show(problems.linkClosed());
    } else if (reason !== 'server_ended') {
      this.notices.show(problems.startRefused(reason));
    }
  }

  /** @param {import('./messages.js').SessionReady} event */
  ready(event) {
    this.settings.engines(event.engines);
    this.settings.offers(event.voices, event.voice ?? null, event.engines.asr.languages, event.language ?? null);
    this.composer.limit(event.limits.max_text_chars);
    if (event.resumed) return;
    const waiting = this.session.heldEvents.flatMap((held) => (held.type === 'text.send' ? [held.text] : []));
    if (this.diagnostics.sessions++ > 0) this.conversation.lost(waiting);
    this.conversation.hearing = false;
    this.conversation.due = this.session.heldEvents.some(({ type }) => type === 'text.send' || type === 'audio.commit');
  }

  /** Puts on the stage what is so. */
  show() {
    const { live, starting, muted, preferences, replies } = this;
    const { link } = this.session;
    this.stage.show({
      mood: this.mood(link),
      live,
      starting,
      push: preferences.pushToTalk,
      held: this.pushToTalk.pressed,
      muted,
      answering: replies.turn !== null && replies.turn > replies.silenced,
    });
  }

  /**
   * @param {Link} link
   * @returns {import('./views/orb.js').Mood}
   */
  mood(link) {
    const { live, replies } = this;
    if (link.state === 'waiting') return 'waiting';
    if (this.starting || (link.state === 'connecting' && (live || this.conversation.due))) return 'connecting';
    if ((this.sending || this.conversation.hearing) && live && (!replies.audible || replies.held)) return 'hearing';
    if (replies.audible) return 'speaking';
    if (this.conversation.due) return 'thinking';
    if (!live) return 'idle';
    return this.muted ? 'muted' : 'listening';
  }
}

import { Controller } from './controller.js';

const controller = new Controller();

// For a look inside from the console: what was heard and played, by the audio thread's clock.
Object.assign(window, {
  aigolos: {
    diagnostics: () => ({
      ...controller.diagnostics,
      microphone: controller.diagnostics.microphone.list(),
      loudspeaker: controller.diagnostics.loudspeaker.list(),
      contextRate: controller.sound.context?.sampleRate ?? null,
      inputRate: controller.sound.inputRate,
      outputRate: controller.sound.outputRate,
      link: controller.session.link,
      sessionId: controller.session.sessionId,
      mood: document.body.dataset.mood,
    }),
  },
});

// Which engines are in use is worth knowing before the first word; a session says it again.
fetch(new URL('api/health/', document.baseURI))
  .then((response) => (response.ok ? response.json() : null))
  .then((health) => health?.engines?.asr && controller.settings.engines(health.engines))
  .catch(() => {});

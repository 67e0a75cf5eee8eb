/** Servers for a test file, which speak TLS: openai-node knows nothing else. */

import http from 'node:http';
import OpenAI, { toFile } from 'openai';
import { startServer } from '../../browser/real-server.mjs';
import { wav } from './speech.mjs';

/** Any key does where nobody needs an account. */
export const KEY = 'none needed';
/** How long a test may take; on a quiet machine they take seconds. */
export const PATIENCE = { timeout: 120_000 };

const bundled = {
  ASR_MODEL_NAME: 'nano',
  TTS_ENGINE: 'espeak',
  TLS_CERT: process.env.TEST_TLS_CERT ?? '',
  TLS_KEY: process.env.TEST_TLS_KEY ?? '',
};

/** The bundled engines. */
export async function startAssistant() {
  const server = await startServer({ env: bundled });
  return { ...server, openai: new OpenAI({ baseURL: `${server.url}v1`, apiKey: KEY, maxRetries: 0 }) };
}

/** The same, but whatever is asked, a story without end is told: what one needs to interrupt somebody for sure. */
export async function startStoryteller() {
  const chat = http.createServer((request, response) => {
    request.resume();
    if (request.method === 'GET') {
      const models = { object: 'list', data: [{ id: 'story', object: 'model', created: 0, owned_by: 'tests' }] };
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify(models));
      return;
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream', Connection: 'close' });
    const tell = () => {
      const delta = { role: 'assistant', content: 'One day a little robot was in a cold house. ' };
      const choices = [{ index: 0, delta, finish_reason: null }];
      const chunk = { id: '1', object: 'chat.completion.chunk', created: 0, model: 'story', choices };
      response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    };
    tell();
    const telling = setInterval(tell, 300);
    response.on('close', () => clearInterval(telling));
  });
  await new Promise((resolve) => chat.listen(0, '127.0.0.1', () => resolve(null)));
  const address = chat.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const story = { LLM_BACKEND: 'openai', LLM_BASE_URL: `http://127.0.0.1:${port}/v1`, LLM_MODEL_NAME: 'story' };
  const server = await startServer({ env: { ...bundled, ...story } });
  const stop = async () => {
    await server.stop();
    chat.closeAllConnections();
    await new Promise((resolve) => chat.close(resolve));
  };
  return { ...server, stop, openai: new OpenAI({ baseURL: `${server.url}v1`, apiKey: KEY, maxRetries: 0 }) };
}

/**
 * What the server's own recogniser hears in a sound, in small letters.
 * @param {OpenAI} openai
 * @param {Buffer} pcm
 */
export async function heard(openai, pcm) {
  const file = await toFile(wav(pcm), 'reply.wav');
  const { text } = await openai.audio.transcriptions.create({ file, model: 'whisper-1' });
  return text.toLowerCase();
}

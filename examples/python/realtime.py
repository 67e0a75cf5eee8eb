#!/usr/bin/env python3
"""Speak a WAV file to aigolos with OpenAI's own Python package, over the Realtime protocol, and save the spoken answer.

    pip install -r requirements.txt
    python realtime.py question.wav                    # 16-bit mono, any rate

The same program works with OpenAI's servers: `base_url` is the one line that differs.
"""

import argparse
import array
import asyncio
import base64
import os
import wave

from openai import AsyncOpenAI

RATE = 24000  # the only rate of PCM in this protocol


async def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("recording", help="WAV file, 16-bit mono")
    options.add_argument("--base-url", default="http://127.0.0.1:8080/v1")
    options.add_argument("--output", default="answer.wav", help="where the spoken answer goes")
    options = options.parse_args()

    with wave.open(options.recording) as file:
        assert file.getsampwidth() == 2 and file.getnchannels() == 1, "the recording must be 16-bit mono"
        speech = resampled(file.readframes(file.getnframes()), file.getframerate())

    # Any key does where nobody needs an account; the package refuses to start without one.
    client = AsyncOpenAI(base_url=options.base_url, api_key=os.environ.get("AIGOLOS_KEY", "none needed"))
    async with client.realtime.connect(model="gpt-realtime") as connection:
        await connection.session.update(
            session={
                "type": "realtime",
                "audio": {
                    "input": {
                        "transcription": {"model": "whisper-1"},  # so that we see what was understood
                        "turn_detection": {"type": "server_vad", "silence_duration_ms": 500},
                    }
                },
            }
        )
        # Sound may be sent faster than one speaks. The second of silence at the end says that the question is over.
        for piece in pieces(speech + bytes(2 * RATE)):
            await connection.input_audio_buffer.append(audio=base64.b64encode(piece).decode())

        answer, understood, done = bytearray(), False, False
        async for event in connection:
            if event.type == "conversation.item.input_audio_transcription.completed":
                print(f"you said:   {event.transcript}")
                understood = True
            elif event.type == "response.output_audio.delta":
                answer += base64.b64decode(event.delta)
            elif event.type == "response.output_audio_transcript.done":
                print(f"the answer: {event.transcript}")
            elif event.type == "response.done":
                done = True
            elif event.type == "error":
                raise SystemExit(event.error.message)
            if understood and done:  # they come in either order
                break

    with wave.open(options.output, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(answer)
    print(f"saved:      {options.output}, {len(answer) / 2 / RATE:.1f} s")


def pieces(pcm: bytes, milliseconds: int = 100):
    size = RATE * milliseconds // 1000 * 2
    return (pcm[at : at + size] for at in range(0, len(pcm), size))


def resampled(pcm: bytes, rate: int) -> bytes:
    """At 24 kHz, by drawing straight lines between samples: good enough for speech."""
    samples = array.array("h", pcm)
    if rate == RATE or len(samples) < 2:
        return pcm
    out = array.array("h")
    for at in range(len(samples) * RATE // rate):
        place = min(at * rate / RATE, len(samples) - 1.001)
        before = int(place)
        out.append(round(samples[before] + (samples[before + 1] - samples[before]) * (place - before)))
    return out.tobytes()


asyncio.run(main())

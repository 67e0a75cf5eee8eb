#!/usr/bin/env python3
"""Speak a WAV file to aigolos over its own protocol and save the spoken answer.

    pip install -r requirements.txt
    python native.py question.wav                      # 16-bit mono, any rate from 8 to 48 kHz

Everything the protocol can do is in docs/protocol.md.
"""

import argparse
import asyncio
import json
import os
import wave

import websockets


class Later(Exception):
    """The server is full or being restarted; its argument says for how many seconds."""


async def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("recording", help="WAV file, 16-bit mono")
    options.add_argument("--url", default="ws://127.0.0.1:8080/ws")
    options.add_argument("--output", default="answer.wav", help="where the spoken answer goes")
    options = options.parse_args()

    with wave.open(options.recording) as file:
        assert file.getsampwidth() == 2 and file.getnchannels() == 1, "the recording must be 16-bit mono"
        rate, speech = file.getframerate(), file.readframes(file.getnframes())

    while True:
        try:
            answer = await ask(options.url, rate, speech)
            break
        except Later as later:
            await asyncio.sleep(later.args[0])

    with wave.open(options.output, "wb") as file:
        file.setparams((1, 2, 24000, 0, "NONE", ""))
        file.writeframes(answer)
    print(f"saved:      {options.output}, {len(answer) / 48000:.1f} s")


async def ask(url: str, rate: int, speech: bytes) -> bytes:
    """Speaks, prints what comes, gives the sound of the answer."""
    # A server where people have accounts wants a key; make one on its page.
    key = os.environ.get("AIGOLOS_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with websockets.connect(url, subprotocols=["aigolos.v1"], additional_headers=headers) as socket:
        # Text frames are events, binary frames are sound. Tell what will be sent and what should come back.
        start = {
            "type": "session.start",
            "mode": "converse",
            "audio": {"encoding": "pcm_s16le", "sample_rate": rate},
            "output": {"encoding": "pcm_s16le", "sample_rate": 24000},
        }
        await socket.send(json.dumps(start))
        # A microphone sends 20 ms every 20 ms; a recording may be sent as fast as it goes. The second of silence at the end says
        # that the question is over.
        speech += bytes(2 * rate)
        piece = rate // 50 * 2  # 20 ms of 16-bit samples
        for at in range(0, len(speech), piece):
            await socket.send(speech[at : at + piece])

        answer = bytearray()
        async for message in socket:
            if isinstance(message, bytes):
                answer += message[8:]  # the first eight bytes number the turn and the piece
                continue
            event = json.loads(message)
            match event["type"]:
                case "transcript.partial":
                    print(f"...         {event['stable']} {event['unstable']}")
                case "transcript.final":
                    print(f"you said:   {event['text']}")
                case "reply.done":
                    print(f"the answer: {event['text']}")
                    break  # a server that is being restarted comes this far too
                case "error" if event["code"] in ("overloaded", "shutting_down") and "retry_after_ms" in event:
                    raise Later(event["retry_after_ms"] / 1000)
                case "session.closed":
                    raise Later(event.get("retry_after_ms", 1000) / 1000)
                case "error":
                    raise SystemExit(f"{event['message']} ({event.get('hint')})")
        await socket.send(json.dumps({"type": "session.end"}))
    return bytes(answer)


asyncio.run(main())

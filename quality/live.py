"""The doors that are spoken into: recordings go in as a microphone would send them, 20 ms each 20 ms, silence behind them.

Each recording has a connection of its own: what was said before does not help, and nothing of it can be mixed in. Opening
it is not part of any time here.
"""

import asyncio
import base64
import json
import time

import numpy as np
from websockets.asyncio.client import connect

from .outcome import Outcome
from .recordings import RATE, Recording, resampled
from .server import Server

#: Seconds of silence behind each recording.
SILENCE = 1.5
#: Seconds that the rest may take once everything was sent.
PATIENCE = 30.0
REALTIME_RATE = 24_000


class Clock:
    """Sends frames when a microphone would: each when the 20 ms that it holds are over."""

    def __init__(self, samples: np.ndarray, rate: int, silence: float = SILENCE):
        self.frame = rate // 50
        quiet = np.zeros(round(silence * rate), np.int16)
        whole = np.concatenate([samples, quiet])
        self.pieces = [whole[at : at + self.frame].astype("<i2").tobytes() for at in range(0, len(whole), self.frame)]
        self.began = time.monotonic()
        self.late = 0.0

    async def send(self, one) -> None:
        self.began = time.monotonic()
        for number, piece in enumerate(self.pieces, 1):
            due = self.began + number * 0.02
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            self.late = max(self.late, time.monotonic() - due)
            await one(piece)


class Texts:
    """Texts of turns as they come, final or to be final: counts what is taken back, and when the last word came."""

    def __init__(self) -> None:
        self.stable: dict[object, str] = {}
        self.finals: dict[object, str] = {}
        self.order: list[object] = []
        self.changed = 0
        self.partials = 0
        self.last_word = 0.0

    def partial(self, turn: object, stable: str) -> None:
        self.partials += 1
        before = self.stable.get(turn, "")
        if not stable.startswith(before):
            self.changed += 1
        self.stable[turn] = stable

    def final(self, turn: object, text: str, at: float) -> None:
        if not text.startswith(self.stable.get(turn, "")):
            self.changed += 1
        if turn not in self.finals:
            self.order.append(turn)
        self.finals[turn] = text
        if text.strip():
            self.last_word = at

    def whole(self) -> str:
        return " ".join(self.finals[turn].strip() for turn in self.order if self.finals[turn].strip())


def finish(outcome: Outcome, texts: Texts, clock: Clock, speech_end: float) -> None:
    outcome.heard = texts.whole()
    outcome.partials, outcome.changed, outcome.turns = texts.partials, texts.changed, len(texts.finals)
    outcome.late = clock.late
    if texts.last_word:
        outcome.text_after = texts.last_word - (clock.began + speech_end)


async def native(server: Server, recording: Recording, tell: bool, outcome: Outcome) -> None:
    clock, texts = Clock(recording.samples, RATE), Texts()
    async with connect(f"ws://127.0.0.1:{server.port}/ws", subprotocols=["aigolos.v1"], max_size=None) as socket:
        language = {"language": recording.language} if tell and recording.language else {}
        await socket.send(json.dumps({"type": "session.start", "mode": "transcribe", **language}))
        while True:
            event = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))
            if event["type"] == "session.ready":
                break
            if event["type"] == "error":
                raise OSError(f"{event['code']}: {event['message']}")
        stopped = 0

        async def read() -> None:
            nonlocal stopped
            async for message in socket:
                at = time.monotonic()
                event = json.loads(message)
                outcome.events.append({"t": at - clock.began, **event})
                stopped += event["type"] == "speech.stopped"
                if event["type"] == "transcript.partial":
                    texts.partial(event["turn"], event["stable"])
                elif event["type"] == "transcript.final":
                    texts.final(event["turn"], event["text"], at)
                elif event["type"] == "error":
                    outcome.trouble = f"{event['code']}: {event['message']}"
                elif event["type"] == "session.closed":
                    return

        reading = asyncio.create_task(read())
        try:
            await clock.send(socket.send)
            # A client that goes waits for its text 15 s at most; people stay until they have read it.
            until = time.monotonic() + PATIENCE
            while len(texts.finals) < stopped and time.monotonic() < until and not reading.done():
                await asyncio.sleep(0.01)
            await socket.send(json.dumps({"type": "session.end"}))
            await asyncio.wait_for(reading, PATIENCE)
        finally:
            reading.cancel()
    finish(outcome, texts, clock, recording.voiced[1])


async def realtime(server: Server, recording: Recording, tell: bool, outcome: Outcome) -> None:
    clock, texts = Clock(resampled(recording.samples, REALTIME_RATE), REALTIME_RATE), Texts()
    said = "conversation.item.input_audio_transcription"
    committed: list[str] = []
    complete = asyncio.Event()
    address = f"ws://127.0.0.1:{server.port}/v1/realtime?intent=transcription"
    async with connect(address, max_size=None) as socket:
        language = {"language": recording.language} if tell and recording.language else {}
        audio_input = {"transcription": {"model": "whisper-1", **language}, "turn_detection": {"type": "server_vad"}}
        await socket.send(json.dumps({"type": "session.update", "session": {"type": "transcription", "audio": {"input": audio_input}}}))
        while True:
            event = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))
            if event["type"] == "session.updated":
                break
            if event["type"] == "error":
                raise OSError(event["error"]["message"])
        speaking = 0

        async def read() -> None:
            nonlocal speaking
            async for message in socket:
                at = time.monotonic()
                event = json.loads(message)
                kind, item = event["type"], event.get("item_id", "")
                outcome.events.append({"t": at - clock.began, **event})
                if kind == f"{said}.delta":
                    texts.partial(item, texts.stable.get(item, "") + event["delta"])
                elif kind == f"{said}.completed":
                    texts.final(item, event["transcript"], at)
                    if texts.stable.get(item, "") != event["transcript"]:
                        texts.changed += 1
                elif kind == f"{said}.failed":
                    outcome.trouble = str(event.get("error"))
                    texts.final(item, "", at)
                elif kind == "input_audio_buffer.speech_started":
                    speaking += 1
                elif kind == "input_audio_buffer.committed":
                    committed.append(item)
                    speaking -= 1
                elif kind == "error":
                    outcome.trouble = event["error"]["message"]
                if speaking <= 0 and len(texts.finals) >= len(committed):
                    complete.set()
                else:
                    complete.clear()

        complete.set()
        reading = asyncio.create_task(read())

        async def append(piece: bytes) -> None:
            await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(piece).decode()}))

        try:
            await clock.send(append)
            if speaking > 0:
                await socket.send(json.dumps({"type": "input_audio_buffer.commit"}))
            await asyncio.wait_for(complete.wait(), PATIENCE)
        finally:
            reading.cancel()
    texts.order.sort(key=lambda item: committed.index(item) if item in committed else len(committed))
    finish(outcome, texts, clock, recording.voiced[1])


async def wyoming(server: Server, recording: Recording, tell: bool, outcome: Outcome) -> None:
    """As Home Assistant does it, but for the end: that finds it itself, here it comes after the silence."""
    clock, texts = Clock(recording.samples, RATE), Texts()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.wyoming, limit=1 << 22)
    shape = {"rate": RATE, "width": 2, "channels": 1}

    async def send(kind: str, data: dict, payload: bytes = b"") -> None:
        told = json.dumps(data).encode()
        writer.write(json.dumps({"type": kind, "data_length": len(told), "payload_length": len(payload)}).encode() + b"\n" + told + payload)
        await writer.drain()

    async def receive() -> tuple[str, dict]:
        line = await reader.readline()
        if not line:
            raise ConnectionError("the server closed the connection")
        header = json.loads(line)
        data = dict(header.get("data") or {})
        if header.get("data_length"):
            data |= json.loads(await reader.readexactly(header["data_length"]))
        if header.get("payload_length"):
            await reader.readexactly(header["payload_length"])
        return header["type"], data

    async def read() -> None:
        pieces = ""
        while True:
            kind, data = await receive()
            at = time.monotonic()
            outcome.events.append({"t": at - clock.began, "type": kind, **data})
            if kind == "transcript-chunk":
                pieces += data["text"]
                texts.partial(0, pieces)
                texts.last_word = at
            elif kind == "transcript":
                complete = texts.last_word
                texts.final(0, data["text"], at)
                if pieces == data["text"] and pieces:
                    texts.last_word = complete
                elif pieces and pieces != data["text"]:
                    texts.changed += 1
            elif kind == "voice-started":
                outcome.turns += 1
            elif kind == "error":
                outcome.trouble = str(data.get("text"))
            elif kind == "transcript-stop":
                return

    try:
        language = {"language": recording.language} if tell and recording.language else {}
        await send("transcribe", language)
        await send("audio-start", shape)
        reading = asyncio.create_task(read())
        try:
            await clock.send(lambda piece: send("audio-chunk", shape, piece))
            await send("audio-stop", {})
            await asyncio.wait_for(reading, PATIENCE)
        finally:
            reading.cancel()
    finally:
        writer.close()
    turns = outcome.turns
    finish(outcome, texts, clock, recording.voiced[1])
    outcome.turns = turns


DOORS = {"ws": native, "realtime": realtime, "wyoming": wyoming}


async def take(door: str, server: Server, recordings: list[Recording], tell: bool, clients: int, told) -> list[Outcome]:
    """Every recording through one of these doors, so many clients at once; `told` is called after each."""
    places = asyncio.Semaphore(clients)

    async def one(recording: Recording) -> Outcome:
        outcome = Outcome(recording.name, recording.language, recording.text, recording.seconds)
        async with places:
            try:
                limit = recording.seconds + SILENCE + 3 * PATIENCE
                await asyncio.wait_for(DOORS[door](server, recording, tell, outcome), limit)
            except Exception as error:  # noqa: BLE001 whatever it is, it is this recording's trouble and is counted
                outcome.trouble = f"{type(error).__name__}: {error}"
        told(outcome)
        return outcome

    return await asyncio.gather(*(one(recording) for recording in recordings))

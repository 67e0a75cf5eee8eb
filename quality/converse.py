"""From the end of a question to the first sound of the answer, over /ws, with a voice and a chat model."""

import asyncio
import json
import time

from websockets.asyncio.client import connect

from .live import PATIENCE, Clock, Texts
from .outcome import Outcome, percentile
from .recordings import RATE, Recording
from .report import number, table
from .server import Server

#: Silence that goes on until the answer is there, at most.
WAIT = 30.0


async def ask(server: Server, recording: Recording, tell: bool, outcome: Outcome) -> None:
    """One question, until its answer sounds. `text_after` is that moment; `changed` counts turns that ended before the
    speaker did."""
    clock, texts = Clock(recording.samples, RATE, WAIT), Texts()
    speech_end = recording.voiced[1]
    answered = asyncio.Event()
    first_sound = 0.0
    async with connect(f"ws://127.0.0.1:{server.port}/ws", subprotocols=["aigolos.v1"], max_size=None) as socket:
        language = {"language": recording.language} if tell and recording.language else {}
        await socket.send(json.dumps({"type": "session.start", "mode": "converse", **language}))
        while True:
            event = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))
            if event["type"] == "session.ready":
                break
            if event["type"] == "error":
                raise OSError(f"{event['code']}: {event['message']}")

        async def read() -> None:
            nonlocal first_sound
            async for message in socket:
                at = time.monotonic()
                if isinstance(message, bytes):
                    # What sounds before the speaker has ended is a cut-in; the answer to the whole question is still to come.
                    if at > clock.began + speech_end and not first_sound:
                        first_sound = at
                        answered.set()
                    continue
                event = json.loads(message)
                outcome.events.append({"t": at - clock.began, **event})
                if event["type"] == "transcript.final":
                    texts.final(event["turn"], event["text"], at)
                elif event["type"] == "reply.started" and at < clock.began + speech_end:
                    outcome.changed += 1
                elif event["type"] == "error":
                    outcome.trouble = f"{event['code']}: {event['message']}"
                    answered.set()

        reading = asyncio.create_task(read())
        sending = asyncio.create_task(clock.send(socket.send))
        try:
            await asyncio.wait_for(answered.wait(), recording.seconds + WAIT)
        finally:
            sending.cancel()
            reading.cancel()
    outcome.heard, outcome.turns, outcome.late = texts.whole(), len(texts.finals), clock.late
    if first_sound:
        outcome.text_after = first_sound - (clock.began + speech_end)


async def run(server: Server, recordings: list[Recording], tell: bool, clients: int, told) -> list[Outcome]:
    places = asyncio.Semaphore(clients)

    async def one(recording: Recording) -> Outcome:
        outcome = Outcome(recording.name, recording.language, recording.text, recording.seconds)
        async with places:
            try:
                await ask(server, recording, tell, outcome)
            except Exception as error:  # noqa: BLE001 it is this question's trouble and is counted
                outcome.trouble = f"{type(error).__name__}: {error}"
        told(outcome)
        return outcome

    return await asyncio.gather(*(one(recording) for recording in recordings))


HEAD = ["chat", "questions", "answered", "WER %", "first sound p50 s", "p95 s", "cut-ins"]


def row(name: str, outcomes: list[Outcome]) -> list[str]:
    after = [one.text_after for one in outcomes if one.text_after is not None]
    errors, spoken = sum(one.errors for one in outcomes), sum(len(one.pair[0]) for one in outcomes)
    return [name, str(len(outcomes)), str(len(after)), f"{100 * errors / max(1, spoken):.1f}", number(percentile(after, 50)),
            number(percentile(after, 95)), str(sum(one.changed for one in outcomes))]  # fmt: skip


def rows(name: str, outcomes: list[Outcome]) -> str:
    return table(HEAD, [row(name, outcomes)])

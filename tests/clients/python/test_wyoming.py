"""The wyoming package's client, as published, which is what Home Assistant speaks with."""

from contextlib import asynccontextmanager

import pytest
from server import Server
from speech import ANSWER, ASKED, QUESTION, pieces, said, seconds, silence, sounds
from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeStopped

pytestmark = pytest.mark.anyio
RATE = 16_000
SENTENCES = "Five plus seven is twelve. How are you today?"


@asynccontextmanager
async def connected(server: Server):
    async with AsyncTcpClient("127.0.0.1", server.wyoming) as client:
        yield client


async def until(client: AsyncTcpClient, kind) -> list[Event]:
    """Everything up to the first event of this kind, with it."""
    events = []
    while True:
        event = await client.read_event()
        assert event is not None, f"closed after {[event.type for event in events]}"
        events.append(event)
        if kind.is_type(event.type):
            return events


async def speak(client: AsyncTcpClient, pcm: bytes, rate: int = RATE) -> None:
    await client.write_event(AudioStart(rate=rate, width=2, channels=1).event())
    for piece in pieces(pcm, rate=rate):
        await client.write_event(AudioChunk(rate=rate, width=2, channels=1, audio=piece).event())
    await client.write_event(AudioStop().event())


def sound(events: list[Event]) -> tuple[bytes, int]:
    """What was said, and its rate, which never changes."""
    chunks = [AudioChunk.from_event(event) for event in events if AudioChunk.is_type(event.type)]
    [rate] = {chunk.rate for chunk in chunks}
    assert {(chunk.width, chunk.channels) for chunk in chunks} == {(2, 1)}
    return b"".join(chunk.audio for chunk in chunks), rate


async def test_it_says_what_it_can_do(server):
    async with connected(server) as client:
        await client.write_event(Describe().event())
        info = Info.from_event(await client.read_event())
        [asr], [tts] = info.asr, info.tts
        assert asr.installed and "en" in asr.models[0].languages
        assert tts.installed and any(voice.languages for voice in tts.voices)
        assert asr.supports_transcript_streaming and tts.supports_synthesize_streaming
        await client.write_event(Ping(text="there?").event())
        assert Pong.from_event(await client.read_event()).text == "there?"


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
async def test_a_recording_becomes_text(server, rate):
    async with connected(server) as client:
        await client.write_event(Transcribe(language="en").event())
        await speak(client, said(QUESTION, rate), rate)
        events = await until(client, Transcript)
        assert ASKED in Transcript.from_event(events[-1]).text.lower()


async def test_text_comes_in_pieces_and_a_connection_takes_several_recordings(server):
    async with connected(server) as client:
        for text, expected in [(QUESTION, ASKED), ("Hello.", "hello")]:
            await client.write_event(Transcribe().event())
            await speak(client, said(text, RATE))
            events = await until(client, TranscriptStop)
            [start] = [event for event in events if TranscriptStart.is_type(event.type)]
            [whole] = [Transcript.from_event(event).text for event in events if Transcript.is_type(event.type)]
            told = "".join(TranscriptChunk.from_event(event).text for event in events if TranscriptChunk.is_type(event.type))
            assert events[0] is start
            assert told.strip() == whole.strip()
            assert expected in whole.lower()


async def test_silence_has_no_words_but_an_answer(server):
    async with connected(server) as client:
        await client.write_event(Transcribe().event())
        await speak(client, silence(2, RATE))
        assert Transcript.from_event((await until(client, Transcript))[-1]).text == ""


async def test_text_is_spoken(server, heard):
    async with connected(server) as client:
        await client.write_event(Synthesize(text="Five plus seven is twelve.").event())
        events = await until(client, AudioStop)
        assert AudioStart.is_type(events[0].type)
        pcm, rate = sound(events)
        sounds(pcm, rate)
        assert ASKED in heard(pcm, rate)


async def test_text_that_comes_in_pieces_is_spoken_once(server, heard):
    async with connected(server) as client:
        await client.write_event(Synthesize(text=SENTENCES).event())
        whole, rate = sound(await until(client, AudioStop))

        await client.write_event(SynthesizeStart().event())
        for word in SENTENCES.split(" "):
            await client.write_event(SynthesizeChunk(text=f"{word} ").event())
        # Home Assistant says it again for servers that know no pieces.
        await client.write_event(Synthesize(text=SENTENCES).event())
        await client.write_event(SynthesizeStop().event())
        events = await until(client, SynthesizeStopped)
        pcm, again = sound(events)
        assert again == rate
        assert seconds(pcm, rate) == pytest.approx(seconds(whole, rate), rel=0.35), "neither twice nor half"
        assert ASKED in heard(pcm, rate)


async def test_what_it_does_not_know_does_no_harm(server):
    async with connected(server) as client:
        await client.write_event(Event(type="no-such-event", data={"a": 1}, payload=b"ignored"))
        await client.write_event(AudioChunk(rate=RATE, width=2, channels=1, audio=b"\0\0" * 320).event())
        await client.write_event(Transcribe().event())
        await speak(client, said(QUESTION, RATE))
        events = [event for event in await until(client, Transcript) if not Error.is_type(event.type)]
        assert ASKED in Transcript.from_event(events[-1]).text.lower()


async def test_who_hangs_up_in_the_middle_disturbs_nobody(server):
    async with connected(server) as client:
        await client.write_event(Transcribe().event())
        await client.write_event(AudioStart(rate=RATE, width=2, channels=1).event())
        await client.write_event(AudioChunk(rate=RATE, width=2, channels=1, audio=said(QUESTION, RATE)).event())
    async with connected(server) as first, connected(server) as second:
        for client in (first, second):
            await client.write_event(Transcribe().event())
        for client in (first, second):
            await speak(client, said(QUESTION, RATE))
        for client in (first, second):
            assert ASKED in Transcript.from_event((await until(client, Transcript))[-1]).text.lower()

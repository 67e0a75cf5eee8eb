"""openai-python's client of the older shape, as published: `client.beta.realtime.connect`."""

from contextlib import asynccontextmanager

import openai
import pytest
from conftest import KEY
from conversation import TOOL, TOOL_ANSWER, TOOL_QUESTION, TOOL_SAYS, Conversation
from server import Server
from speech import ANSWER, ASKED, QUESTION, recording, said, sounds

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def connected(server: Server, **query: str):
    where = {"base_url": f"{server.url}/v1", "websocket_base_url": f"ws://127.0.0.1:{server.port}/v1"}
    async with openai.AsyncOpenAI(api_key=KEY, **where) as client:
        async with client.beta.realtime.connect(model="gpt-realtime", extra_query=query) as connection:
            yield Conversation(connection, strict=False)


async def test_a_spoken_question_is_answered_with_the_older_names(server, heard):
    async with connected(server) as call:
        created = await call.until("session.created")
        assert created.session.modalities and created.session.input_audio_format == "pcm16"
        await call.connection.session.update(
            session={
                "modalities": ["text", "audio"],
                "input_audio_transcription": {"model": "whisper-1"},
                "turn_detection": {"type": "server_vad", "silence_duration_ms": 500},
            }
        )
        await call.until("session.updated")
        await call.says(said(QUESTION))
        done = await call.until("response.done")
        if not call.of("conversation.item.input_audio_transcription.completed"):
            await call.until("conversation.item.input_audio_transcription.completed")
    assert ASKED in call.one("conversation.item.input_audio_transcription.completed").transcript.lower()
    assert ANSWER in call.one("response.audio_transcript.done").transcript.lower()
    assert done.response.status == "completed"
    call.in_order(
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "response.created",
        "response.audio.delta",
        "response.audio.done",
        "response.done",
    )
    assert call.of("conversation.item.created")
    newer = ("response.output_audio", "response.output_text", "conversation.item.added", "conversation.item.done")
    assert not [kind for kind in call.kinds() if kind.startswith(newer)], "one set of names for a connection"
    sounds(call.sound("response.audio.delta"))
    assert ASKED in heard(call.sound("response.audio.delta"))


async def test_speaking_stops_a_reply_which_is_then_cut(storyteller):
    async with connected(storyteller) as call:
        await call.until("session.created")
        await call.says(said("Tell me a story."))
        first = await call.hears(1, "response.audio.delta")
        await call.says(recording("Stop talking."))
        done = await call.until("response.done")
        assert (done.response.status, done.response.status_details.reason) == ("cancelled", "turn_detected")
        await call.connection.conversation.item.truncate(item_id=first.item_id, content_index=0, audio_end_ms=200)
        await call.until("conversation.item.truncated")
        await call.connection.conversation.item.retrieve(item_id=first.item_id)
        assert (await call.until("conversation.item.retrieved")).item.id == first.item_id


async def test_a_tool_is_called(server):
    async with connected(server) as call:
        await call.connection.session.update(session={"tools": [TOOL], "modalities": ["text"]})
        await call.says(said(TOOL_QUESTION))
        called = await call.until("response.function_call_arguments.done")
        await call.until("response.done")
        await call.connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": called.call_id, "output": TOOL_SAYS}
        )
        await call.connection.response.create()
        await call.until("response.done")
        assert TOOL_ANSWER in call.joined("response.text.delta").lower()


async def test_a_malformed_event_is_an_error_and_the_session_goes_on(server):
    async with connected(server) as call:
        await call.until("session.created")
        await call.connection.send({"type": "no.such.event", "event_id": "first"})
        error = await call.next()
        while error.type != "error":
            error = await call.next()
        assert error.error.event_id == "first"
        await call.connection.input_audio_buffer.clear()
        await call.until("input_audio_buffer.cleared")


async def test_a_transcription_session_only_writes_down(server):
    async with connected(server, intent="transcription") as call:
        await call.until("transcription_session.created")
        await call.connection.transcription_session.update(
            session={"input_audio_transcription": {"model": "gpt-4o-transcribe"}, "turn_detection": {"type": "server_vad"}}
        )
        await call.until("transcription_session.updated")
        await call.says(said(QUESTION))
        written = await call.until("conversation.item.input_audio_transcription.completed")
        assert ASKED in written.transcript.lower()
        assert not [kind for kind in call.kinds() if kind.startswith("response.")]


async def test_sessions_are_made_ahead(client):
    made = client.beta.realtime.sessions.create(model="gpt-realtime", instructions="Be brief.")
    assert made.client_secret.value.startswith("ek_")
    made = client.beta.realtime.transcription_sessions.create(input_audio_transcription={"model": "whisper-1"})
    assert made.client_secret.value.startswith("ek_")

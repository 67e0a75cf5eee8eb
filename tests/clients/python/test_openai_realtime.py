"""openai-python's Realtime connection, as published: `client.realtime.connect`."""

from contextlib import asynccontextmanager

import openai
import pytest
from conftest import KEY
from conversation import TOOL, TOOL_ANSWER, TOOL_ASKED, TOOL_QUESTION, TOOL_SAYS, Conversation, SyncConversation, encoded, session
from server import Server
from speech import ANSWER, ASKED, QUESTION, recording, said, seconds, sounds

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def connected(server: Server, key: str = KEY, **query: str):
    query = query or {"model": "gpt-realtime"}
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=key) as client:
        async with client.realtime.connect(**({} if "intent" in query else query), extra_query=query) as connection:
            yield Conversation(connection)


async def test_a_spoken_question_is_written_down_and_answered_aloud(server, heard):
    async with connected(server) as call:
        created = await call.until("session.created")
        assert created.session.type == "realtime"
        assert created.session.output_modalities == ["audio"]
        await call.connection.session.update(session=session())
        updated = await call.until("session.updated")
        assert updated.session.audio.input.turn_detection.type == "server_vad"
        assert updated.session.audio.output.format.rate == 24_000

        await call.says(said(QUESTION))
        done = await call.until("response.done")
        if not call.of("conversation.item.input_audio_transcription.completed"):
            await call.until("conversation.item.input_audio_transcription.completed")

    call.in_order(
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    )
    begun = call.one("input_audio_buffer.speech_started")
    ended = call.one("input_audio_buffer.speech_stopped")
    # Half a second of silence stands before the words.
    assert 0 <= begun.audio_start_ms <= 700 < ended.audio_end_ms <= 1000 * seconds(said(QUESTION))

    written = call.one("conversation.item.input_audio_transcription.completed")
    assert ASKED in written.transcript.lower()
    assert call.joined("conversation.item.input_audio_transcription.delta") == written.transcript
    assert {begun.item_id, ended.item_id, call.one("input_audio_buffer.committed").item_id} == {written.item_id}

    answer = call.one("response.output_audio_transcript.done")
    assert ANSWER in answer.transcript.lower()
    assert call.joined("response.output_audio_transcript.delta").strip() == answer.transcript.strip()
    assert done.response.status == "completed"
    assert done.response.output[0].content[0].transcript == answer.transcript
    assert done.response.usage.total_tokens == done.response.usage.input_tokens + done.response.usage.output_tokens
    sounds(call.sound())
    assert ASKED in heard(call.sound())


async def test_speaking_stops_a_reply_which_is_then_cut_to_what_was_played(storyteller):
    async with connected(storyteller) as call:
        await call.connection.session.update(session=session())
        await call.says(said("Tell me a story."))
        first = await call.hears(1)
        await call.says(recording("Stop talking."))
        await call.until("input_audio_buffer.speech_started")
        done = await call.until("response.done")
        assert done.response.id == first.response_id
        assert done.response.status == "cancelled"
        assert done.response.status_details.reason == "turn_detected"
        assert done.response.output[0].status == "incomplete"

        await call.connection.conversation.item.truncate(item_id=first.item_id, content_index=0, audio_end_ms=400)
        cut = await call.until("conversation.item.truncated")
        assert (cut.item_id, cut.audio_end_ms) == (first.item_id, 400)
        await call.connection.conversation.item.retrieve(item_id=first.item_id)
        item = (await call.until("conversation.item.retrieved")).item
        assert item.id == first.item_id
        told = done.response.output[0].content[0].transcript
        assert len(item.content[0].transcript or "") < len(told)


async def test_a_reply_is_cancelled(storyteller):
    async with connected(storyteller) as call:
        await call.connection.session.update(session=session())
        await call.connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Tell me a story."}]}
        )
        await call.connection.response.create()
        await call.hears(0.1)
        await call.connection.response.cancel()
        done = await call.until("response.done")
        assert (done.response.status, done.response.status_details.reason) == ("cancelled", "client_cancelled")
        call.forget()

        # Nothing runs now: that is an error with the event's name, and nothing else happens.
        await call.connection.response.cancel(event_id="once more")
        error = await call.next()
        while error.type != "error":
            error = await call.next()
        assert (error.error.code, error.error.event_id) == ("response_cancel_not_active", "once more")
        assert not call.of("response.output_audio.delta"), "nothing of a response follows its end"


async def test_a_tool_is_called_and_what_it_says_is_told(server):
    async with connected(server) as call:
        await call.connection.session.update(session=session(tools=[TOOL], tool_choice="auto"))
        await call.until("session.updated")
        await call.says(said(TOOL_QUESTION))
        called = await call.until("response.function_call_arguments.done")
        done = await call.until("response.done")
        assert called.name == TOOL["name"]
        assert call.joined("response.function_call_arguments.delta") == called.arguments
        item = done.response.output[-1]
        assert (item.type, item.name, item.call_id, item.status) == ("function_call", TOOL["name"], called.call_id, "completed")
        call.forget()

        await call.connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": called.call_id, "output": TOOL_SAYS}
        )
        await call.connection.response.create()
        done = await call.until("response.done")
        assert done.response.status == "completed"
        assert TOOL_ANSWER in call.one("response.output_audio_transcript.done").transcript.lower()
        sounds(call.sound())


async def test_a_malformed_event_is_an_error_and_the_session_goes_on(server):
    async with connected(server) as call:
        await call.until("session.created")
        await call.connection.send({"type": "no.such.event", "event_id": "first"})
        await call.connection.send({"type": "input_audio_buffer.append", "event_id": "second", "audio": "not base64!"})
        await call.connection.send({"type": "conversation.item.truncate", "event_id": "third"})
        await call.connection._connection.send("this is no JSON")
        named = []
        while len(named) < 4:
            event = await call.next()
            if event.type == "error":
                named.append(event.error.event_id)
        assert named == ["first", "second", "third", None]

        await call.connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": QUESTION}]}
        )
        await call.connection.response.create(response={"output_modalities": ["text"], "metadata": {"for": "the test"}})
        done = await call.until("response.done")
        assert ANSWER in call.joined("response.output_text.delta").lower()
        assert not call.of("response.output_audio.delta")
        assert done.response.metadata == {"for": "the test"}


async def test_without_turn_detection_the_client_says_when(server):
    async with connected(server) as call:
        manual = {"input": {"turn_detection": None, "transcription": {"model": "whisper-1"}}}
        await call.connection.session.update(session={"type": "realtime", "audio": manual})
        updated = await call.until("session.updated")
        assert updated.session.audio.input.turn_detection is None
        await call.says(said(QUESTION))
        await call.connection.input_audio_buffer.commit()
        await call.until("input_audio_buffer.committed")
        written = await call.until("conversation.item.input_audio_transcription.completed")
        assert ASKED in written.transcript.lower()
        assert not call.of("response.created")
        await call.connection.response.create()
        await call.until("response.done")
        assert ANSWER in call.one("response.output_audio_transcript.done").transcript.lower()


async def test_a_response_beside_the_conversation_leaves_it_alone(server):
    async with connected(server) as call:
        question = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": QUESTION}]}
        await call.connection.response.create(
            response={"conversation": "none", "output_modalities": ["text"], "input": [question]}
        )
        done = await call.until("response.done")
        assert ANSWER in call.joined("response.output_text.delta").lower()
        assert done.response.conversation_id is None
        assert not [kind for kind in call.kinds() if kind.startswith("conversation.item")]


async def test_a_transcription_session_only_writes_down(server):
    async with connected(server, intent="transcription") as call:
        created = await call.until("session.created")
        assert created.session.type == "transcription"
        transcription = {"transcription": {"model": "gpt-4o-transcribe", "language": "en"}}
        await call.connection.session.update(session={"type": "transcription", "audio": {"input": transcription}})
        await call.until("session.updated")
        await call.says(said(QUESTION) + said("Hello."))
        # The short one may be done first.
        for _ in range(2):
            await call.until("conversation.item.input_audio_transcription.completed")
        written = {event.item_id: event.transcript.lower() for event in call.of("conversation.item.input_audio_transcription.completed")}
        first, second = [written[event.item_id] for event in call.of("input_audio_buffer.committed")]
        assert ASKED in first
        assert "hello" in second
        assert not [kind for kind in call.kinds() if kind.startswith("response.")]


async def test_a_goodbye_is_answered(server):
    async with connected(server) as call:
        await call.until("session.created")
        await call.connection.close()
        # Otherwise 1006, which the client's reconnecting takes for a fault.
        assert call.connection._connection.close_code == 1000


async def test_a_client_secret_opens_the_session_it_was_made_for(server):
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY) as client:
        secret = await client.realtime.client_secrets.create(
            session={"type": "realtime", "instructions": "Be brief."}, expires_after={"anchor": "created_at", "seconds": 60}
        )
    assert secret.value.startswith("ek_")
    async with connected(server, key=secret.value) as call:
        created = await call.until("session.created")
        assert created.session.instructions == "Be brief."


def test_the_blocking_client_converses(server, client, heard):
    with client.realtime.connect(model="gpt-realtime") as connection:
        call = SyncConversation(connection)
        call.until("session.created")
        connection.session.update(session=session())
        call.until("session.updated")
        connection.send({"type": "no.such.event", "event_id": "first"})
        event = connection.recv()
        assert (event.type, event.error.event_id) == ("error", "first")
        call.says(said(QUESTION))
        done = call.until("response.done")
        assert done.response.status == "completed"
        assert ANSWER in done.response.output[0].content[0].transcript.lower()
        assert ASKED in heard(call.sound())


def test_the_blocking_client_transcribes(client):
    with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        call = SyncConversation(connection)
        call.until("session.created")
        call.says(recording(QUESTION))
        connection.input_audio_buffer.commit()
        written = call.until("conversation.item.input_audio_transcription.completed")
        assert ASKED in written.transcript.lower()


def test_the_blocking_client_interrupts(storyteller):
    with openai.OpenAI(base_url=f"{storyteller.url}/v1", api_key=KEY) as client:
        with client.realtime.connect(model="gpt-realtime") as connection:
            call = SyncConversation(connection)
            connection.session.update(session=session())
            call.says(said("Tell me a story."))
            first = call.until("response.output_audio.delta")
            while seconds(call.sound()) < 1:
                call.until("response.output_audio.delta")
            connection.response.cancel(response_id=first.response_id)
            assert call.until("response.done").response.status == "cancelled"
            connection.conversation.item.truncate(item_id=first.item_id, content_index=0, audio_end_ms=100)
            call.until("conversation.item.truncated")
            connection.input_audio_buffer.append(audio=encoded(b"\0\0" * 2400))
            connection.input_audio_buffer.clear()
            call.until("input_audio_buffer.cleared")

"""openai-agents' RealtimeRunner, as published, with the settings it makes by itself."""

from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from agents import function_tool, set_tracing_disabled
from agents.realtime import RealtimeAgent, RealtimeRunner, RealtimeSession
from agents.realtime.model_inputs import RealtimeModelSendRawMessage
from conftest import KEY
from conversation import TOOL_ANSWER, TOOL_ASKED, TOOL_QUESTION, TOOL_SAYS
from server import Server
from speech import ANSWER, ASKED, QUESTION, pieces, recording, silence, sounds

pytestmark = pytest.mark.anyio
set_tracing_disabled(True)

#: Its turn detection is "semantic_vad", which waits up to four seconds for who seems to think.
PAUSE = silence(4.5)


class Call:
    """A session and what it has told."""

    def __init__(self, session: RealtimeSession) -> None:
        self.session = session
        self.events: list[Any] = []
        self._next = session.__aiter__()

    async def until(self, matches: Callable[[Any], bool]) -> Any:
        """The next event of this kind; an error is none of those that come unasked."""
        while True:
            event = await self._next.__anext__()
            self.events.append(event)
            if matches(event):
                return event
            assert event.type != "error", event

    async def says(self, pcm: bytes) -> None:
        for piece in pieces(pcm):
            await self.session.send_audio(piece)

    def sound(self) -> bytes:
        return b"".join(event.audio.data for event in self.events if event.type == "audio")

    def told(self, role: str) -> str:
        """Everything said by one side, as the session's own history has it."""
        history = next(event.history for event in reversed(self.events) if event.type == "history_updated")
        parts = [part for item in history if item.type == "message" and item.role == role for part in item.content]
        return " ".join(getattr(part, "transcript", None) or getattr(part, "text", None) or "" for part in parts)


def raw(kind: str) -> Callable[[Any], bool]:
    """An event of the wire."""
    return lambda event: (
        event.type == "raw_model_event" and event.data.type == "raw_server_event" and event.data.data["type"] == kind
    )


def kind(name: str) -> Callable[[Any], bool]:
    return lambda event: event.type == name


@asynccontextmanager
async def connected(server: Server, tools: list = ()):  # type: ignore[assignment]
    agent = RealtimeAgent(name="Assistant", instructions="Be brief.", tools=list(tools))
    url = f"ws://127.0.0.1:{server.port}/v1/realtime?model=gpt-realtime"
    async with await RealtimeRunner(agent).run(model_config={"url": url, "api_key": KEY}) as session:
        yield Call(session)


async def test_a_spoken_question_gets_into_the_history_with_its_answer(server, heard):
    async with connected(server) as call:
        await call.says(recording(QUESTION) + PAUSE)
        await call.until(kind("agent_end"))
        # The last word on what was said may follow the answer.
        while ASKED not in call.told("user").lower() or ANSWER not in call.told("assistant").lower():
            await call.until(kind("history_updated"))
        sounds(call.sound())
        assert ASKED in heard(call.sound())


async def test_speaking_interrupts_and_what_was_not_heard_is_cut(storyteller):
    async with connected(storyteller) as call:
        await call.says(recording("Tell me a story.") + PAUSE)
        await call.until(kind("audio"))
        await call.says(recording("Stop talking."))
        interrupted = await call.until(kind("audio_interrupted"))
        # It cuts the item by itself, and asks for what is left.
        truncated = (await call.until(raw("conversation.item.truncated"))).data.data
        assert truncated["item_id"] == interrupted.item_id
        retrieved = (await call.until(raw("conversation.item.retrieved"))).data.data
        assert retrieved["item"]["id"] == interrupted.item_id
        done = [event for event in call.events if raw("response.done")(event)]
        response = (done[0] if done else await call.until(raw("response.done"))).data.data["response"]
        assert response["status"] == "cancelled"


async def test_the_program_interrupts(storyteller):
    async with connected(storyteller) as call:
        await call.session.send_message("Tell me a story.")
        await call.until(kind("audio"))
        await call.session.interrupt()
        await call.until(raw("conversation.item.truncated"))


async def test_a_tool_is_called_and_what_it_says_is_told(server):
    asked = []

    @function_tool
    def get_weather(city: str = "") -> str:
        """Tells the weather today."""
        asked.append(city)
        return TOOL_SAYS

    async with connected(server, [get_weather]) as call:
        await call.says(recording(TOOL_QUESTION) + PAUSE)
        ended = await call.until(kind("tool_end"))
        assert (ended.tool.name, ended.output) == ("get_weather", TOOL_SAYS)
        while TOOL_ANSWER not in call.told("assistant").lower():
            await call.until(kind("history_updated"))
        assert TOOL_ASKED in call.told("user").lower()
        assert len(asked) == 1


async def test_a_refused_event_leaves_the_session_alive(server):
    async with connected(server) as call:
        refused = {"type": "conversation.item.delete", "other_data": {"item_id": "no such item"}}
        await call.session.model.send_event(RealtimeModelSendRawMessage(message=refused))
        error = await call.until(kind("error"))
        assert "item_delete_invalid_item_id" in str(error.error)
        await call.session.send_message(QUESTION)
        while ANSWER not in call.told("assistant").lower():
            await call.until(kind("history_updated"))

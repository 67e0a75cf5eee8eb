"""What the tests of openai-python's Realtime connections share."""

import base64
from typing import Any

from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from speech import pieces, seconds

#: The client itself takes any event; this one refuses what does not have the documented shape.
STRICT: TypeAdapter = TypeAdapter(RealtimeServerEvent)

#: The tool the built-in assistant calls when its name's words are said.
TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells the weather today.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
#: What calls it, what the recogniser hears of that, what the tool says, and a word of it in the answer.
TOOL_QUESTION, TOOL_ASKED, TOOL_SAYS, TOOL_ANSWER = "What is the weather today?", "weather", "It is sunny and warm.", "sunny"


def encoded(pcm: bytes) -> str:
    return base64.b64encode(pcm).decode()


def session(**changes: Any) -> dict:
    """A session's update: everything a test of a conversation wants, and `changes`."""
    audio_input = {"transcription": {"model": "gpt-4o-mini-transcribe"}, "turn_detection": {"type": "server_vad"}}
    return {"type": "realtime", "audio": {"input": audio_input}, **changes}


class Log:
    """Every event so far, looked at from several sides."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def add(self, event: Any, strict: bool = True) -> Any:
        if strict:
            STRICT.validate_python(event.to_dict(mode="json"))
        self.events.append(event)
        return event

    def kinds(self) -> list[str]:
        return [event.type for event in self.events]

    def of(self, kind: str) -> list[Any]:
        return [event for event in self.events if event.type == kind]

    def one(self, kind: str) -> Any:
        [event] = self.of(kind)
        return event

    def joined(self, kind: str) -> str:
        return "".join(event.delta for event in self.of(kind))

    def sound(self, kind: str = "response.output_audio.delta") -> bytes:
        return b"".join(base64.b64decode(event.delta) for event in self.of(kind))

    def in_order(self, *kinds: str) -> None:
        """Fails unless the first of each kind came in this order."""
        came = self.kinds()
        for kind in kinds:
            assert kind in came, f"no {kind} in {came}"
        places = [came.index(kind) for kind in kinds]
        assert places == sorted(places), f"{kinds} came as {came}"


class Conversation(Log):
    """An asynchronous connection, and what it has told."""

    def __init__(self, connection: Any, strict: bool = True) -> None:
        super().__init__()
        self.connection, self.strict = connection, strict

    async def next(self) -> Any:
        return self.add(await self.connection.recv(), self.strict)

    async def until(self, kind: str) -> Any:
        while True:
            event = await self.next()
            if event.type == kind:
                return event
            assert event.type != "error", event

    async def says(self, pcm: bytes) -> None:
        for piece in pieces(pcm):
            await self.connection.input_audio_buffer.append(audio=encoded(piece))

    async def hears(self, least: float, kind: str = "response.output_audio.delta") -> Any:
        """Listens until so many seconds of a reply have come; gives its last piece."""
        while True:
            event = await self.until(kind)
            if seconds(self.sound(kind)) >= least:
                return event

    def forget(self) -> None:
        self.events.clear()


class SyncConversation(Log):
    """The same for a blocking connection."""

    def __init__(self, connection: Any, strict: bool = True) -> None:
        super().__init__()
        self.connection, self.strict = connection, strict

    def until(self, kind: str) -> Any:
        while True:
            event = self.add(self.connection.recv(), self.strict)
            if event.type == kind:
                return event
            assert event.type != "error", event

    def says(self, pcm: bytes) -> None:
        for piece in pieces(pcm):
            self.connection.input_audio_buffer.append(audio=encoded(piece))

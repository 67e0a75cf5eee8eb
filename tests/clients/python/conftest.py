"""Servers for all tests of a run, and a limit for each test."""

import signal
from collections.abc import Iterator

import openai
import pytest
from server import Server, SlowChat
from speech import RATE, wav

#: Seconds a test may take; on a quiet machine they take a few.
PATIENCE = 120
#: Any key does where nobody needs an account.
KEY = "none needed"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    def over(*_: object) -> None:
        raise TimeoutError(f"nothing more came within {PATIENCE} s")

    signal.signal(signal.SIGALRM, over)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The bundled engines."""
    server = Server()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def storyteller() -> Iterator[Server]:
    """The same, but whatever is asked, a story without end is told."""
    chat = SlowChat()
    server = Server(LLM_BACKEND="openai", LLM_BASE_URL=chat.url, LLM_MODEL_NAME="story")
    yield server
    server.stop()
    chat.stop()


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def heard(client: openai.OpenAI):
    """What the server's own recogniser hears in a sound, in small letters."""

    def heard(pcm: bytes, rate: int = RATE) -> str:
        file = ("reply.wav", wav(pcm, rate))
        return client.audio.transcriptions.create(file=file, model="whisper-1").text.lower()

    return heard

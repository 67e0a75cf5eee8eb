"""openai-python's REST calls, as published, blocking and not."""

import io
import subprocess
import wave

import openai
import pytest
from conftest import KEY
from conversation import TOOL, TOOL_QUESTION, TOOL_SAYS, TOOL_ANSWER
from speech import ANSWER, ASKED, QUESTION, RATE, said, seconds, silence, sounds, wav

QUESTION_FILE = ("question.wav", wav(said(QUESTION)))
ANSWER_TEXT = "Five plus seven is twelve."
FUNCTION = {"type": "function", "function": {key: value for key, value in TOOL.items() if key != "type"}}


def test_a_recording_becomes_text_in_every_format(client):
    create = client.audio.transcriptions.create
    assert ASKED in create(file=QUESTION_FILE, model="whisper-1", language="en", temperature=0).text.lower()
    assert ASKED in create(file=QUESTION_FILE, model="whisper-1", response_format="text").lower()
    subtitles = create(file=QUESTION_FILE, model="whisper-1", response_format="srt")
    assert subtitles.startswith("1\n00:00:0") and " --> " in subtitles and ASKED in subtitles.lower()
    assert create(file=QUESTION_FILE, model="whisper-1", response_format="vtt").startswith("WEBVTT\n\n")


def test_words_and_segments_have_times(client):
    told = client.audio.transcriptions.create(
        file=QUESTION_FILE,
        model="whisper-1",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert told.duration == pytest.approx(seconds(said(QUESTION)), abs=0.1)
    assert [word.word.strip(" ?.").lower() for word in told.words] == QUESTION.strip("?").lower().split()
    times = [time for word in told.words for time in (word.start, word.end)]
    assert times == sorted(times) and times[-1] <= told.duration
    assert ASKED in "".join(segment.text for segment in told.segments).lower()


def test_text_comes_in_pieces(client):
    events = list(client.audio.transcriptions.create(file=QUESTION_FILE, model="gpt-4o-mini-transcribe", stream=True))
    assert [event.type for event in events][-1] == "transcript.text.done"
    assert "".join(event.delta for event in events[:-1]) == events[-1].text
    assert ASKED in events[-1].text.lower()


def test_silence_has_no_words(client):
    assert client.audio.transcriptions.create(file=("silence.wav", wav(silence(2))), model="whisper-1").text == ""


def test_a_recording_is_translated(client):
    # Into English, which it is already.
    assert ASKED in client.audio.translations.create(file=QUESTION_FILE, model="whisper-1").text.lower()


def test_text_is_spoken_in_every_format(client, heard):
    kinds = {"mp3": "audio/mpeg", "opus": "audio/ogg", "flac": "audio/flac", "wav": "audio/wav", "pcm": "audio/pcm"}
    for name, kind in kinds.items():
        spoken = client.audio.speech.create(model="tts-1", voice="alloy", input=ANSWER_TEXT, response_format=name)
        assert spoken.response.headers["content-type"].startswith(kind)
        file = (f"answer.{name}", spoken.content)
        if name == "pcm":
            sounds(spoken.content)
            file = ("answer.wav", wav(spoken.content))
        assert ASKED in client.audio.transcriptions.create(file=file, model="whisper-1").text.lower(), name


def test_mp3_is_what_one_gets_unasked(client):
    spoken = client.audio.speech.create(model="gpt-4o-mini-tts", voice="marin", input=ANSWER_TEXT)
    assert spoken.response.headers["content-type"] == "audio/mpeg"
    # Read by a program that is none of ours.
    decoded = subprocess.run(
        ["sox", "-t", "mp3", "-", "-t", "raw", "-e", "signed", "-b", "16", "-c", "1", "-r", str(RATE), "-"],
        input=spoken.content, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert decoded.returncode == 0, decoded.stderr
    sounds(decoded.stdout)


def test_speech_is_streamed(client, heard):
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input=ANSWER_TEXT, response_format="pcm", speed=1.0
    ) as spoken:
        pcm = b"".join(spoken.iter_bytes())
    sounds(pcm)
    assert ASKED in heard(pcm)
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input=ANSWER_TEXT, response_format="wav", stream_format="audio"
    ) as spoken:
        with wave.open(io.BytesIO(b"".join(spoken.iter_bytes()))) as file:
            assert file.getnchannels() == 1


def test_faster_speech_is_shorter(client):
    def spoken(speed: float) -> float:
        made = client.audio.speech.create(model="tts-1", voice="alloy", input=ANSWER_TEXT, response_format="pcm", speed=speed)
        return seconds(made.content)

    assert spoken(2.0) < 0.75 * spoken(1.0)


def test_models_are_listed(client):
    names = [model.id for model in client.models.list()]
    assert "whisper-1" in names and "tts-1" in names
    for name in names:
        assert client.models.retrieve(name).id == name
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no/such:model")


def test_the_assistant_chats(client):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=messages)
    assert ANSWER in answer.choices[0].message.content.lower()
    assert answer.choices[0].finish_reason == "stop"

    chunks = list(
        client.chat.completions.create(
            model="gpt-4o-mini", messages=messages, stream=True, stream_options={"include_usage": True}
        )
    )
    told = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert told == answer.choices[0].message.content
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_the_assistant_calls_a_tool(client, stream):
    messages = [{"role": "user", "content": TOOL_QUESTION}]
    if stream:
        with client.chat.completions.stream(model="gpt-4o-mini", messages=messages, tools=[FUNCTION]) as pieces:
            reply = pieces.get_final_completion()
    else:
        reply = client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=[FUNCTION])
    assert reply.choices[0].finish_reason == "tool_calls"
    [call] = reply.choices[0].message.tool_calls
    assert call.function.name == TOOL["name"]
    messages += [
        {"role": "assistant", "tool_calls": [call.model_dump(include={"id": True, "type": True, "function": {"name", "arguments"}})]},
        {"role": "tool", "tool_call_id": call.id, "content": TOOL_SAYS},
    ]
    reply = client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=[FUNCTION])
    assert TOOL_ANSWER in reply.choices[0].message.content.lower()


def test_mistakes_are_told_in_openais_shape(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.speech.create(model="tts-1", voice="alloy", input="")
    assert refused.value.param == "input"
    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.transcriptions.create(file=("notes.wav", b"these are no samples"), model="whisper-1")
    assert refused.value.param == "file"
    assert refused.value.type == "invalid_request_error"
    assert refused.value.request_id


@pytest.mark.anyio
async def test_the_same_without_blocking(server):
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY) as client:
        told = await client.audio.transcriptions.create(file=QUESTION_FILE, model="whisper-1")
        assert ASKED in told.text.lower()
        pieces = await client.audio.transcriptions.create(file=QUESTION_FILE, model="gpt-4o-transcribe", stream=True)
        assert ASKED in "".join([piece.delta async for piece in pieces if piece.type == "transcript.text.delta"]).lower()
        async with client.audio.speech.with_streaming_response.create(
            model="tts-1", voice="alloy", input=ANSWER_TEXT, response_format="pcm"
        ) as spoken:
            sounds(b"".join([piece async for piece in spoken.iter_bytes()]))
        messages = [{"role": "user", "content": QUESTION}]
        chunks = await client.chat.completions.create(model="gpt-4o-mini", messages=messages, stream=True)
        told = "".join([chunk.choices[0].delta.content or "" async for chunk in chunks if chunk.choices])
        assert ANSWER in told.lower()

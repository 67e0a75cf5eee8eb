#!/usr/bin/env python3
"""A WAV file to text, the text to an answer, the answer to an MP3 file: aigolos through OpenAI's own Python package.

    pip install -r requirements.txt
    python rest.py question.wav

The same program works with OpenAI's servers: `base_url` is the one line that differs.
"""

import argparse
import os

from openai import OpenAI

options = argparse.ArgumentParser()
options.add_argument("recording", help="WAV, MP3, FLAC, Ogg ... file")
options.add_argument("--base-url", default="http://127.0.0.1:8080/v1")
options.add_argument("--output", default="answer.mp3", help="where the spoken answer goes")
options = options.parse_args()

# Any key does where nobody needs an account; the package refuses to start without one.
client = OpenAI(base_url=options.base_url, api_key=os.environ.get("AIGOLOS_KEY", "none needed"))

# 1. Speech to text. response_format="srt" gives subtitles, stream=True gives the words as they are found.
with open(options.recording, "rb") as recording:
    question = client.audio.transcriptions.create(model="whisper-1", file=recording).text
print(f"you said:   {question}")

# 2. An answer, word by word. The model's name is that of your Ollama model, or any.
print("the answer: ", end="")
answer = ""
messages = [{"role": "user", "content": question}]
for chunk in client.chat.completions.create(model="default", messages=messages, stream=True):
    word = chunk.choices[0].delta.content or "" if chunk.choices else ""
    print(word, end="", flush=True)
    answer += word
print()

# 3. Text to speech, written to the file while it is being made.
with client.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input=answer) as speech:
    speech.stream_to_file(options.output)
print(f"saved:      {options.output}")

"""The doors that take a whole recording: the command, the two requests."""

import json
import os
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import soundfile

from .outcome import Outcome
from .recordings import RATE, Recording
from .server import Server


def bytes_of(recording: Recording) -> tuple[str, bytes]:
    """A file's name and what is in it; a recording without a file is written as FLAC."""
    if recording.path.is_file():
        return recording.path.name, recording.path.read_bytes()
    with tempfile.NamedTemporaryFile(suffix=".flac") as file:
        soundfile.write(file.name, recording.samples, RATE)
        return f"{recording.name}.flac", Path(file.name).read_bytes()


def post_form(url: str, fields: list[tuple[str, str]], file: tuple[str, bytes], patience: float) -> dict:
    """The answer to a form with a file, as JSON."""
    mark = uuid.uuid4().hex
    parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields]
    head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{file[0]}"\r\nContent-Type: application/octet-stream\r\n\r\n'
    body = b"".join([*parts, head.encode(), file[1], f"\r\n--{mark}--\r\n".encode()])
    request = urllib.request.Request(url, body, {"Content-Type": f"multipart/form-data; boundary={mark}"})
    try:
        with urllib.request.urlopen(request, timeout=patience) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise OSError(f"HTTP {error.code}: {error.read(500).decode(errors='replace')}") from None


def language_field(recording: Recording, tell: bool) -> list[tuple[str, str]]:
    return [("language", recording.language)] if tell and recording.language else []


def rest_answer(server: Server, recording: Recording, tell: bool, patience: float) -> dict:
    """`verbose_json` of OpenAI's endpoint, with the times of words and segments."""
    fields = [("model", "whisper-1"), ("response_format", "verbose_json"), *language_field(recording, tell)]
    fields += [("timestamp_granularities[]", "word"), ("timestamp_granularities[]", "segment")]
    return post_form(f"{server.url}/v1/audio/transcriptions", fields, bytes_of(recording), patience)


def rest(server: Server, recording: Recording, tell: bool, patience: float) -> str:
    fields = [("model", "whisper-1"), *language_field(recording, tell)]
    return post_form(f"{server.url}/v1/audio/transcriptions", fields, bytes_of(recording), patience)["text"]


def job_answer(server: Server, recording: Recording, tell: bool, patience: float, with_words: bool) -> dict:
    """A job's outcome, asked for until it is there."""
    fields = [*language_field(recording, tell), *([("words", "true")] if with_words else [])]
    job = post_form(f"{server.url}/api/asr/transcribe/", fields, bytes_of(recording), patience)["job"]
    until = time.monotonic() + patience
    wait = 0.02
    while job["state"] in {"queued", "running"}:
        if time.monotonic() > until:
            raise TimeoutError(f"the job is still {job['state']}")
        time.sleep(wait)
        wait = min(wait * 1.2, 0.5)
        job = json.loads(server.get(f"/api/jobs/{job['id']}"))["job"]
    if job["state"] != "done":
        raise OSError(f"the job is {job['state']}: {job.get('outcome')}")
    return job["outcome"]


def job(server: Server, recording: Recording, tell: bool, patience: float) -> str:
    return job_answer(server, recording, tell, patience, with_words=False)["text"]


def command(binary: Path, settings: dict[str, str], recording: Recording, tell: bool, patience: float, with_words: bool) -> tuple[str, float]:
    """What `aigolos transcribe` prints, and the processor seconds it took, the loading of the model among them."""
    with tempfile.TemporaryDirectory(prefix="aigolos-quality-") as folder:
        file = Path(folder) / "recording.wav"
        soundfile.write(file, recording.samples, RATE)
        language = {"DEFAULT_LANGUAGE": recording.language} if tell and recording.language else {}
        process = subprocess.Popen(
            [binary, "transcribe", file, *(["--words"] if with_words else [])], cwd=folder,
            env={**os.environ, "LOG_LEVEL": "error", "DATA_DIR": folder, **settings, **language},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
        killer = threading.Timer(patience, process.kill)
        killer.start()
        try:
            # The pipes are emptied by threads, since the process's own account is wanted when it ends.
            kept: dict[str, str] = {}
            readers = [threading.Thread(target=lambda n=n, p=p: kept.update({n: p.read()})) for n, p in (("out", process.stdout), ("err", process.stderr))]
            for reader in readers:
                reader.start()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            for reader in readers:
                reader.join(10)
        finally:
            killer.cancel()
        if process.returncode:
            raise OSError(f"it ended with {process.returncode}: {kept.get('err', '')[-500:]}")
        return kept["out"], usage.ru_utime + usage.ru_stime


def take(door: str, server: Server, binary: Path, recording: Recording, tell: bool, patience: float) -> Outcome:
    """One recording through one of these doors."""
    outcome = Outcome(recording.name, recording.language, recording.text, recording.seconds)
    began = time.monotonic()
    try:
        if door == "cli":
            own = {name: server.settings[name] for name in ("ASR_MODEL_NAME", "MODELS_DIR")}
            text, outcome.cpu = command(binary, own, recording, tell, patience, with_words=False)
            outcome.heard = text.strip()
        else:
            outcome.heard = {"rest": rest, "job": job}[door](server, recording, tell, patience)
    except (OSError, KeyError, ValueError) as error:
        outcome.trouble = f"{type(error).__name__}: {error}"
    outcome.wall = time.monotonic() - began
    return outcome



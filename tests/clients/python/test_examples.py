"""The programs of examples/, run as examples/README.md says, by Python and by Node."""

import os
import re
import subprocess
import sys
import wave
from pathlib import Path

import pytest
from server import ROOT, Server
from speech import ANSWER, ASKED, QUESTION, recording, sounds, wav

EXAMPLES = ROOT / "examples"
#: How each is told where the server is.
NATIVE, REALTIME, REST = ("--url", "ws://{}/ws"), ("--url", "ws://{}/v1/realtime?model=gpt-realtime"), ("--base-url", "http://{}/v1")
PROGRAMS = {
    "python/native.py": NATIVE,
    "python/realtime.py": REST,
    "python/rest.py": REST,
    "javascript/native.mjs": NATIVE,
    "javascript/realtime.mjs": REALTIME,
    "javascript/rest.mjs": REST,
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_example_says_what_it_heard_and_what_was_answered(server: Server, tmp_path: Path, program: str):
    # Neither the rate of the Realtime protocol nor that of the recogniser.
    (tmp_path / "question.wav").write_bytes(wav(recording(QUESTION, 22_050), 22_050))
    option, address = PROGRAMS[program]
    where = [option, address.format(f"127.0.0.1:{server.port}")]
    interpreter = sys.executable if program.endswith(".py") else "node"
    run = subprocess.run(
        [interpreter, EXAMPLES / program, "question.wav", *where],
        cwd=tmp_path,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert run.returncode == 0, run.stderr
    printed = dict(re.findall(r"^(you said|the answer|saved): +(.*)$", run.stdout, re.MULTILINE))
    assert ASKED in printed["you said"].lower(), run.stdout
    assert ANSWER in printed["the answer"].lower(), run.stdout
    answer = tmp_path / printed["saved"].split(",")[0]
    if answer.suffix == ".wav":
        with wave.open(str(answer)) as file:
            assert (file.getframerate(), file.getnchannels()) == (24_000, 1)
            sounds(file.readframes(file.getnframes()))
    else:
        decode = ["sox", answer, "-t", "raw", "-e", "signed", "-b", "16", "-c", "1", "-r", "24000", "-"]
        sounds(subprocess.run(decode, check=True, stdout=subprocess.PIPE).stdout)


def test_every_example_is_listed_and_run():
    programs = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.glob("*/*") if path.suffix in (".py", ".mjs")}
    assert programs - {"javascript/wav.mjs"} == set(PROGRAMS)
    readme = (EXAMPLES / "README.md").read_text()
    for program in PROGRAMS:
        assert f"({program})" in readme


def test_the_examples_install_what_is_tested():
    tested = (ROOT / "tests/clients/python/requirements.txt").read_text().splitlines()
    for line in (EXAMPLES / "python/requirements.txt").read_text().splitlines():
        assert line in tested

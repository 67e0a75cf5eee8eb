"""The server under test: a process of its own on free ports of this machine, with empty folders."""

import os
import re
import secrets
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

START_WITHIN = 120
STOP_WITHIN = 20
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """Runs until `stop`, or until the block it was made for ends."""

    def __init__(self, binary: Path, settings: dict[str, str]):
        self._folder = tempfile.TemporaryDirectory(prefix="aigolos-quality-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self.wyoming = free_port()
        self._token = secrets.token_hex(16)
        for name in ("data", "models"):
            (self.folder / name).mkdir()
        self.settings = {
            "BIND": "127.0.0.1:0",
            "WYOMING_BIND": f"127.0.0.1:{self.wyoming}",
            "WYOMING_ANNOUNCE": "false",
            "DATA_DIR": str(self.folder / "data"),
            "MODELS_DIR": str(self.folder / "models"),
            "AUTH_MODE": "open",
            "RATE_LIMIT": "0",
            "METRICS_TOKEN": self._token,
            "LLM_BACKEND": "builtin",
            "TTS_ENGINE": "espeak",
            "DATABASE_URL": "",
            "POSTGRES_DB": "",
            "MAX_UPLOAD_MB": "1000",
            "MAX_AUDIO_MINUTES": "600",
            "LOG_LEVEL": "warn",
            "LOG_FORMAT": "text",
            **settings,
        }
        self._log: list[str] = []
        self._process = subprocess.Popen(
            [binary, "serve"], cwd=self.folder, env={**os.environ, **self.settings},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        self._listens = threading.Event()
        self.port = 0
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _read(self) -> None:
        for line in self._process.stdout:
            self._log = [*self._log[-199:], line]
            found = re.search(r"open http://127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found[1])
                self._listens.set()
        self._listens.set()

    def _wait(self) -> None:
        if not self._listens.wait(START_WITHIN) or not self.port:
            raise SystemExit(f"error: the server does not start\n{self.output()}")
        until = time.monotonic() + START_WITHIN
        while True:
            try:
                self.get("/api/health/")
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"error: the server does not answer\n{self.output()}") from None
                time.sleep(0.05)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> str:
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self._token}"} if path == "/metrics" else {})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read().decode()

    def cpu(self) -> float:
        """Processor seconds it has used so far, all threads together."""
        # The name in brackets may hold spaces.
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def peak_mb(self) -> float:
        """The most memory it has had so far."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self._process.pid}/status").read_text())
        return int(found[1]) / 1000 if found else 0.0

    def decodes(self) -> dict[str, float]:
        """What the recogniser has done so far: seconds of work and number of decodes for each priority, and the sound in
        them."""
        done: dict[str, float] = {}
        for line in self.get("/metrics").splitlines():
            name, _, value = line.rpartition(" ")
            found = re.match(r'aigolos_recognition_compute_seconds_(sum|count)\{priority="(\w+)"\}', name)
            if found:
                done[f"{found[2]}_{'s' if found[1] == 'sum' else 'n'}"] = float(value)
            elif name == "aigolos_recognition_audio_seconds_total":
                done["audio_s"] = float(value)
        return done

    def output(self) -> str:
        return "".join(self._log)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

"""The real server, from the binary that AIGOLOS_BIN names, with its bundled engines, on free ports, with an empty data folder."""

import json
import os
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
#: Seconds that starting may take, on any machine.
PATIENCE = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """Started by making one; `env` goes over the bundled engines' settings."""

    def __init__(self, **env: str):
        binary = os.environ.get("AIGOLOS_BIN")
        if not binary:
            raise RuntimeError("set AIGOLOS_BIN to the server under test, or run `make test-clients`")
        self.port, self.wyoming = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = tempfile.TemporaryDirectory(prefix="aigolos-clients-", ignore_cleanup_errors=True)
        self._log = open(Path(self._folder.name) / "log", "w+b")
        settings = {
            "BIND": f"127.0.0.1:{self.port}",
            "WYOMING_BIND": f"127.0.0.1:{self.wyoming}",
            "WYOMING_ANNOUNCE": "false",
            "DATA_DIR": self._folder.name,
            "ASR_MODEL_NAME": "nano",
            "LLM_BACKEND": "builtin",
            "TTS_ENGINE": "espeak",
        }
        self._process = subprocess.Popen(
            [binary, "serve"],
            cwd=self._folder.name,
            env={**os.environ, **settings, **env},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/api/health/", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                if self._process.poll() is not None or time.monotonic() > until:
                    output = self.output()
                    self.stop()
                    raise RuntimeError(f"the server does not answer:\n{output}") from None
                time.sleep(0.05)

    def output(self) -> str:
        """The end of what it has written so far."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-20_000:]

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        self._folder.cleanup()


class SlowChat:
    """A chat server that speaks OpenAI's protocol and tells an endless story, a sentence whenever a while has passed, until
    nobody listens: what one needs to interrupt somebody for sure."""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                models = {"object": "list", "data": [{"id": "story", "object": "model", "created": 0, "owned_by": "tests"}]}
                body = json.dumps(models).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                try:
                    for _ in range(600):
                        self._tell("One day a little robot was in a cold house. ")
                        time.sleep(0.3)
                except OSError:
                    pass  # The server has hung up: the reply was interrupted.

            def _tell(self, text: str) -> None:
                choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
                chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "story", "choices": [choice]}
                self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
                self.wfile.flush()

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

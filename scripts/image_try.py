"""Runs an image's root folder the way a careful operator would, and talks to it; called by image-try.sh, as root, in
namespaces of its own (mounts, processes, network).

    python3 scripts/image_try.py ROOT WORK     WORK holds image.json, data/ and models/
"""

import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import uuid
from pathlib import Path

MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
SAID = "what time is it"
PORT = 8080
PATIENCE = 90  # seconds for a machine that does other things too


def mount(source, target, kind=None, options=()):
    command = ["mount"]
    if kind:
        command += ["-t", kind]
    if options:
        command += ["-o", ",".join(options)]
    subprocess.run([*command, str(source), str(target)], check=True)


def confine(root: Path, work: Path) -> Path:
    """The image's root, read-only, with what a container engine mounts into it."""
    inside = work / "root"
    inside.mkdir()
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    mount(root, inside, options=["bind"])
    mount("proc", inside / "proc", "proc")
    mount("tmpfs", inside / "tmp", "tmpfs", ["nosuid", "nodev", "noexec", "mode=1777"])
    mount("tmpfs", inside / "dev", "tmpfs", ["nosuid", "mode=755"])
    for device in ["null", "zero", "full", "random", "urandom"]:
        (inside / "dev" / device).touch()
        mount(f"/dev/{device}", inside / "dev" / device, options=["bind"])
    mount(work / "data", inside / "data", options=["bind"])
    mount(work / "models", inside / "models", options=["bind"])
    mount(work / "models", inside / "models", options=["remount", "bind", "ro"])
    mount(inside, inside, options=["remount", "bind", "ro"])
    return inside


def loopback_up():
    # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP: what `ip link set lo up` does, where iproute2 is missing.
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh", b"lo", 0).ljust(40, b"\0")
        flags = struct.unpack("16sh", fcntl.ioctl(any_socket, 0x8913, request)[:18])[1]
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", flags | 1).ljust(40, b"\0"))


class Container:
    def __init__(self, root: Path, config: dict):
        self.root, self.config = root, config
        self.user = config["User"].split(":")

    def command(self, arguments, **settings):
        """What the engine would run: the image's user without any privilege, its environment and folder."""
        uid, gid = self.user
        environment = [*self.config["Env"], *(f"{name}={value}" for name, value in settings.items())]
        own = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
        own += ["--inh-caps=-all", "env", "-i", f"--chdir={self.config['WorkingDir']}", *environment]
        return ["chroot", str(self.root), *own, *arguments]

    def run(self, *arguments, **settings):
        return subprocess.run(self.command(arguments, **settings), capture_output=True, text=True, check=False)

    def start(self, log, **settings):
        arguments = [*self.config["Entrypoint"], *self.config["Cmd"]]
        return subprocess.Popen(self.command(arguments, **settings), stdout=log, stderr=log)

    def health(self):
        """The image's own health check, until it passes."""
        test = self.config["Healthcheck"]["Test"]
        assert test[0] == "CMD", test
        until = time.monotonic() + PATIENCE
        while (answer := self.run(*test[1:])).returncode != 0:
            if time.monotonic() > until:
                raise SystemExit(f"error: the health check never passes: {answer.stderr}")
            time.sleep(0.5)


def ask(method, path, body=b"", kind="application/json", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=PATIENCE)
    connection.request(method, path, body, {"Content-Type": kind, **headers})
    answer = connection.getresponse()
    return answer.status, answer.read()


def speak(text) -> bytes:
    body = json.dumps({"model": "tts-1", "voice": "alloy", "input": text, "response_format": "wav"})
    status, sound = ask("POST", "/v1/audio/speech", body.encode())
    assert status == 200 and sound[:4] == b"RIFF", (status, sound[:200])
    return sound


def hear(sound: bytes) -> str:
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'.encode(),
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'.encode(),
        sound,
        f"\r\n--{boundary}--\r\n".encode(),
    ]
    kind = f"multipart/form-data; boundary={boundary}"
    status, answer = ask("POST", "/v1/audio/transcriptions", b"".join(parts), kind)
    assert status == 200, (status, answer)
    return json.loads(answer)["text"]


def passed(what, detail=""):
    print(f"ok  {what}" + (f": {detail}" if detail else ""), flush=True)


def expect(truth, what, detail=""):
    if not truth:
        raise SystemExit(f"error: {what}: {detail}")
    passed(what, detail)


def stop(server, what):
    server.send_signal(signal.SIGTERM)
    expect(server.wait(PATIENCE) == 0, what, "exit code 0")


def main():
    root, work = Path(sys.argv[1]), Path(sys.argv[2])
    image = json.loads((work / "image.json").read_text())
    config = image["Docker"]["config"]
    loopback_up()
    container = Container(confine(root, work), config)

    who = container.run("id", "-u").stdout.strip()
    expect(who not in ("", "0"), "it does not run as root", f"uid {who}")
    wrote = container.run("touch", "/opt/aigolos/here", "/here")
    expect(wrote.returncode != 0 and "Read-only" in wrote.stderr, "nothing of the image can be written")
    labels = config["Labels"]
    expect("org.opencontainers.image.version" in labels, "it has labels", labels["org.opencontainers.image.version"])

    checked = container.run("aigolos", "check", LOG_LEVEL="warn")
    print("".join(f"    {line}\n" for line in (checked.stdout + checked.stderr).splitlines()), end="")
    expect(checked.returncode == 0, "`aigolos check`", f"exit code {checked.returncode}")
    hum = container.run("aigolos", "say", "hum", "--voice", "tone", "--output", "/tmp/hum.wav", TTS_ENGINE="piper", LOG_LEVEL="warn")
    expect(hum.returncode == 0, "a Piper voice speaks, on the ONNX Runtime of the image", hum.stderr.strip()[-300:])

    open_door = container.run("aigolos", "serve", AUTH_MODE="open")
    expect(open_door.returncode != 0 and "OPEN_TO_NETWORK" in open_door.stderr, "without accounts it asks to be told so")

    with (work / "first.log").open("wb") as log:
        server = container.start(log)
        container.health()
        passed("as it is: the health check passes", " ".join(config["Healthcheck"]["Test"][1:]))
        status, _ = ask("POST", "/v1/audio/speech", b'{"model":"tts-1","voice":"alloy","input":"hello"}')
        expect(status == 401, "without a key nobody is served", f"status {status}")
        stop(server, "SIGTERM ends it")
    lines = (work / "first.log").read_text().splitlines()
    told = [line for line in lines if line.startswith("{")]
    expect(told and all(json.loads(line) for line in told), "its log is JSON", f"{len(told)} lines")

    with (work / "second.log").open("wb") as log:
        server = container.start(log, AUTH_MODE="open", OPEN_TO_NETWORK="true", TTS_ENGINE="espeak")
        container.health()
        heard = hear(speak(SAID))
        expect(SAID in heard.lower(), f"it is told to say {SAID!r} and hears", repr(heard))
        stop(server, "SIGTERM ends it again")

    container.run("aigolos", "dev-cert")
    encrypted = {"TLS_CERT": "/data/tls/cert.pem", "TLS_KEY": "/data/tls/key.pem"}
    with (work / "third.log").open("wb") as log:
        server = container.start(log, **encrypted)
        container.config = {**config, "Env": [*config["Env"], *(f"{name}={value}" for name, value in encrypted.items())]}
        container.health()
        passed("over TLS the health check passes too")
        stop(server, "SIGTERM ends it there")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Unpacks libonnxruntime, which Piper voices run on, into a folder (default: lib/ beside the sources).

    python3 scripts/fetch-onnxruntime.py [--optional] [FOLDER]

With --optional a failure is said and passes for success: the server then speaks with espeak-ng.
The library comes out of the Python package of ONNX Runtime, at a pinned version whose files are checked against the
hashes below; nothing is installed. Run again, it does nothing if the right library is there. Needs python3 with pip
(Debian: apt-get install python3-pip); which package index is asked is pip's configuration.
"""

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

VERSION = "1.24.4"
PYTHON = "311"  # the wheel of this Python carries the same library as the others
# Machine: SHA-256 of the wheel, SHA-256 of the library in it.
KNOWN = {
    "x86_64": (
        "e54ad52e61d2d4618dcff8fa1480ac66b24ee2eab73331322db1049f11ccf330",
        "2d518e11c7767f9fdc4413bdbeb45acf30db504ff76a82fc19d9238a3f9f6c24",
    ),
    "aarch64": (
        "046ff290045a387676941a02a8ae5c3ebec6b4f551ae228711968c4a69d8f6b7",
        "f373ae5fd4d878ed17ebea26e5480bd3d0a15e3bd6bc94b878e6c1b73998d22a",
    ),
}
LIBRARY = "libonnxruntime.so"


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Failure(Exception):
    """Why there is no library."""


def download(machine: str, wheel_hash: str, folder: Path) -> Path:
    wanted = folder / "requirements.txt"
    wanted.write_text(f"onnxruntime=={VERSION} --hash=sha256:{wheel_hash}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes", "--implementation", "cp"]
    command += ["--python-version", PYTHON, "--abi", f"cp{PYTHON}"]
    command += ["--platform", f"manylinux_2_27_{machine}", "--platform", f"manylinux_2_28_{machine}"]
    command += ["--dest", str(folder), "--requirement", str(wanted)]
    if subprocess.run(command, check=False).returncode != 0:
        raise Failure(f"pip could not download onnxruntime {VERSION} for {machine} (its message is above)")
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1 or sha256(wheels[0]) != wheel_hash:
        raise Failure("what pip downloaded is not the file this script knows")
    return wheels[0]


def unpack(wheel: Path, library_hash: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(".new")
    with zipfile.ZipFile(wheel) as files:
        with files.open(f"onnxruntime/capi/{LIBRARY}.{VERSION}") as source, fresh.open("wb") as out:
            shutil.copyfileobj(source, out)
        for notice in ["LICENSE", "ThirdPartyNotices.txt"]:
            (target.parent / f"onnxruntime-{notice}").write_bytes(files.read(f"onnxruntime/{notice}"))
    if sha256(fresh) != library_hash:
        fresh.unlink()
        raise Failure("the library in the wheel is not the one this script knows")
    # In one step, so that a running server never sees half a file.
    fresh.replace(target)


def fetch(folder: Path) -> str:
    target = folder / LIBRARY
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())
    if sys.platform != "linux" or machine not in KNOWN:
        raise Failure(f"no library known for {sys.platform} on {machine}: install ONNX Runtime >= 1.24, set ORT_DYLIB_PATH")
    wheel_hash, library_hash = KNOWN[machine]
    if target.is_file() and sha256(target) == library_hash:
        return f"{target}: ONNX Runtime {VERSION} is there"
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
        raise Failure("python3 has no pip; on Debian: apt-get install python3-pip")
    with tempfile.TemporaryDirectory() as scratch:
        unpack(download(machine, wheel_hash, Path(scratch)), library_hash, target)
    return f"{target}: ONNX Runtime {VERSION} unpacked"


def main() -> None:
    optional = "--optional" in sys.argv[1:]
    folders = [Path(word) for word in sys.argv[1:] if not word.startswith("-")]
    try:
        done = fetch(folders[0] if folders else Path(__file__).resolve().parent.parent / "lib")
    except (Failure, OSError, zipfile.BadZipFile, KeyError) as error:
        print(f"fetch-onnxruntime: {error}", file=sys.stderr)
        print("hint: without ONNX Runtime there are no Piper voices; everything else works", file=sys.stderr)
        sys.exit(0 if optional else 1)
    print(done)


if __name__ == "__main__":
    main()

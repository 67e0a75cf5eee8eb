"""The command line of `make quality`; see docs/quality.md."""

import argparse
import asyncio
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import converse, files, live, long, peers, recordings, report
from .outcome import Door, Outcome
from .server import Server

ROOT = Path(__file__).resolve().parents[1]
FILES = ["cli", "rest", "job"]
DOORS = [*FILES, *live.DOORS]
#: Seconds a request for one short recording may take.
PATIENCE = 300


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m quality", description="What aigolos makes of real recordings, door by door, beside other programs.")
    add = parser.add_argument
    add("--binary", type=Path, default=ROOT / "target/release/aigolos")
    add("--model", default="tiny.en-q5_1", help="a ggml file, or a name such as base.en of a models folder")
    add("--models", type=Path, help="the models folder, with voices in its piper/ (default: .cache/models, then models/local)")
    add("--folder", type=Path, default=ROOT / "tests/recordings/real", help="recordings and truth.tsv")
    add("--lang", default="en", help="languages of truth.tsv, by commas; all: any")
    add("--no-language", action="store_true", help="clients do not say which language is spoken")
    add("--limit", type=int, default=0, help="so many recordings, evenly from all")
    add("--only", default="", help="recordings with this in their name")
    add("--doors", default=",".join(DOORS), help="by commas: %(default)s; none: only peers")
    add("--clients", type=int, default=1, help="recordings at once")
    add("--noise", type=Path, help="a folder with recordings in which nobody speaks")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the server, such as ASR_WORKERS=1")
    add("--peers", action="store_true", help="also whisper.cpp with the same model, and faster-whisper where --ct2 is given")
    add("--ct2", default=os.environ.get("CT2_MODEL", ""), help="a CTranslate2 folder for faster-whisper")
    add("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of other programs")
    add("--beam", type=int, default=1, help="of faster-whisper; 1: greedy")
    add("--long", type=float, metavar="SECONDS", help="join the recordings to one of this length, for the doors that take files")
    add("--seed", type=int, default=1, help="of the order and the pauses of --long")
    add("--converse", action="store_true", help="from the end of a question to the first sound of the answer")
    add("--chat", metavar="URL", help="with --converse: a chat server with OpenAI's protocol; without: the built-in assistant")
    add("--chat-model", default="", help="its model")
    add("--details", type=int, default=0, metavar="N", help="the N worst of each door")
    add("--events", type=Path, help="write what live doors sent, an event a line with its time")
    add("--save", action="store_true", help="raw results and the tables below quality/runs/")
    add("--markdown", type=Path, help="write the tables to this file too")
    add("--quiet", action="store_true")
    args = parser.parse_args()
    args.model = model_file(args)
    return args


def model_file(args: argparse.Namespace) -> Path:
    """The file of the model that was asked for, by path or by name."""
    folders = [args.models] if args.models else [ROOT / ".cache/models", ROOT / "models/local"]
    places = [Path(args.model), *(folder / f"ggml-{args.model}.bin" for folder in folders)]
    found = next((place for place in places if place.is_file()), None)
    if not found:
        raise SystemExit(f"error: there is no model {args.model}\nhint: `make real-models` fetches some, MODEL=... names another file")
    return found.resolve()


def settings_of(args: argparse.Namespace) -> dict[str, str]:
    """What the server is started with besides its folders."""
    settings = {"ASR_MODEL_NAME": str(args.model)}
    if args.models:
        settings["MODELS_DIR"] = str(args.models.resolve())
    library = ROOT / "lib/libonnxruntime.so"
    if library.exists():
        settings["ORT_DYLIB_PATH"] = str(library)
    for pair in args.set:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SystemExit(f"error: --set {pair} is not NAME=VALUE")
        settings[name] = value
    return settings


class Teller:
    """One line that says how far it is."""

    def __init__(self, quiet: bool):
        self._quiet = quiet or not sys.stderr.isatty()
        self._done, self._of, self._what = 0, 0, ""

    def begin(self, what: str, of: int) -> None:
        self._done, self._of, self._what = 0, of, what

    def __call__(self, _: object = None) -> None:
        self._done += 1
        if not self._quiet:
            print(f"\r{self._what} {self._done}/{self._of}   ", end="" if self._done < self._of else "\n", file=sys.stderr, flush=True)


def through(name: str, server: Server, args: argparse.Namespace, parts: list, told) -> list[Outcome]:
    """All recordings through one door."""
    tell = not args.no_language
    if name in live.DOORS:
        return asyncio.run(live.take(name, server, parts, tell, args.clients, told))

    def one(recording) -> Outcome:
        outcome = files.take(name, server, args.binary.resolve(), recording, tell, PATIENCE)
        told(outcome)
        return outcome

    with ThreadPoolExecutor(args.clients) as pool:
        return list(pool.map(one, parts))


def measured(name: str, server: Server, args: argparse.Namespace, parts: list, noise: list, teller: Teller) -> Door:
    """One door, with what the server spent on it."""
    teller.begin(name, len(parts) + len(noise))
    cpu, decodes, began = server.cpu(), server.decodes(), time.monotonic()
    door = Door(name, through(name, server, args, parts, teller), live=name in live.DOORS)
    door.wall = time.monotonic() - began
    if name != "cli":
        door.cpu = server.cpu() - cpu
        after = server.decodes()
        door.decodes = {key: value - decodes.get(key, 0.0) for key, value in after.items()}
    if noise:
        heard = through(name, server, args, noise, teller)
        door.phantoms, door.noise_seconds = peers.phantoms(heard), sum(part.seconds for part in noise)
    return door


def with_peers(args: argparse.Namespace) -> list:
    """The programs beside which it is put; each is loaded when it is its turn."""
    if not args.peers:
        return []
    found = [lambda: peers.WhisperCpp(args.model, args.threads)]
    if args.ct2:
        found.append(lambda: peers.FasterWhisper(args.ct2, args.threads, args.beam))
    return found


def utterances(args: argparse.Namespace, machine: report.Machine, teller: Teller) -> tuple[list[Door], str]:
    languages = [] if args.lang == "all" else args.lang.split(",")
    parts = recordings.load(args.folder, languages, args.limit, args.only)
    noise = recordings.noises(args.noise) if args.noise else []
    wanted = [] if args.doors == "none" else args.doors.split(",")
    for name in wanted:
        if name not in DOORS:
            raise SystemExit(f"error: there is no door {name}\nhint: there are {', '.join(DOORS)}")
    doors: list[Door] = []
    if wanted:
        with Server(args.binary.resolve(), settings_of(args)) as server:
            # The first of everything is slow, here as in life, but it is not what is asked here.
            files.take("rest", server, args.binary, parts[0], True, PATIENCE)
            doors += [measured(name, server, args, parts, noise, teller) for name in wanted]
            memory = server.peak_mb()
    for make in with_peers(args):
        peer = make()
        teller.begin(peer.name, len(parts))
        doors.append(peers.run(peer, parts, noise, not args.no_language, teller))
    seconds = sum(part.seconds for part in parts)
    lines = [
        machine.line(),
        f"{report.version_of(args)}, model {args.model.name}, {len(parts)} recordings of {seconds:.0f} s ({args.lang}) from {args.folder.name}, "
        f"clients at once: {args.clients}" + (", language not said" if args.no_language else "") + (f", {', '.join(args.set)}" if args.set else ""),
    ]
    if wanted:
        lines.append(f"peak memory of the server: {memory:.0f} MB")
    late = max((one.late for door in doors for one in door.outcomes), default=0.0)
    if late > 0.1:
        lines.append(f"note: the sender was late by up to {late:.2f} s; the machine was busy and live times are too long")
    text = "\n".join(lines) + "\n\n" + report.rows(doors)
    for more in (report.live_rows(doors), report.by_language(doors)):
        text += f"\n\n{more}" if more else ""
    return doors, text


def joined(args: argparse.Namespace, machine: report.Machine) -> tuple[list[long.Long], str]:
    """One long file through the doors that take files."""
    language, tell = args.lang.split(",")[0], not args.no_language
    parts = recordings.load(args.folder, [language], args.limit, args.only)
    samples, said = recordings.join(parts, args.long, args.seed)
    wanted = [] if args.doors == "none" else [name for name in args.doors.split(",") if name in FILES]
    results = []
    with long.scratch() as folder:
        recording = long.written(samples, said, language, Path(folder))
        if wanted:
            with Server(args.binary.resolve(), settings_of(args)) as server:
                for name in wanted:
                    results.append(long.through(name, server, args.binary.resolve(), recording, tell))
        for make in with_peers(args):
            results.append(long.by_peer(make(), recording, tell))
    for result in results:
        long.judge(result, said, language)
    head = f"{machine.line()}\n{report.version_of(args)}, model {args.model.name}, one recording of {recording.seconds:.0f} s: {len(said)} utterances ({language}) from {args.folder.name}, pauses of 0.4 to 1.3 s, seed {args.seed}"
    if args.set:
        head += f", {', '.join(args.set)}"
    text = f"{head}\n\n{long.rows(results)}"
    if args.details:
        text += f"\n\n{long.details(results)}"
    return results, text


def conversed(args: argparse.Namespace, machine: report.Machine, teller: Teller) -> tuple[list[Door], str]:
    """Questions that are answered aloud."""
    languages = [] if args.lang == "all" else args.lang.split(",")
    parts = recordings.load(args.folder, languages, args.limit, args.only)
    args.models = args.models or ROOT / ".cache/models"
    settings = {"TTS_ENGINE": "auto", **settings_of(args)}
    name = "built-in assistant"
    if args.chat:
        settings |= {"LLM_BACKEND": "openai", "LLM_BASE_URL": args.chat, "LLM_MODEL_NAME": args.chat_model or "default"}
        name = args.chat_model or "chat server"
    with Server(args.binary.resolve(), settings) as server:
        voice = json.loads(server.get("/api/health/"))["engines"]["tts"]
        teller.begin("questions", len(parts))
        tell = not args.no_language
        asyncio.run(converse.run(server, parts[:1], tell, 1, lambda _: None))  # the first answer finds everything cold
        outcomes = asyncio.run(converse.run(server, parts, tell, args.clients, teller))
    lines = [
        machine.line(),
        f"{report.version_of(args)}, model {args.model.name}, voice {voice.get('engine')} {voice.get('model')}, {len(parts)} recordings ({args.lang}) from {args.folder.name}, "
        f"clients at once: {args.clients}",
    ]
    text = "\n".join(lines) + "\n\n" + converse.rows(name, outcomes)
    return [Door("converse", outcomes, live=True)], text


def keep_events(doors: list[Door], path: Path) -> None:
    with open(path, "w", encoding="utf-8") as file:
        for door in doors:
            for outcome in door.outcomes:
                for event in outcome.events:
                    print(json.dumps({"door": door.name, "file": outcome.name, **event}, ensure_ascii=False), file=file)


def main() -> None:
    args = arguments()
    if args.doors != "none" and not args.binary.is_file():
        raise SystemExit(f"error: there is no {args.binary}\nhint: `cargo build --release` makes it, --binary names another")
    machine = report.Machine()
    teller = Teller(args.quiet)
    kind = "utterances"
    if args.long:
        kind = f"long-{args.long:.0f}"
        doors, (_, text) = [], joined(args, machine)
    elif args.converse:
        kind = "converse"
        doors, text = conversed(args, machine, teller)
    else:
        doors, text = utterances(args, machine, teller)
    print(text)
    if args.details and doors:
        print("\n" + report.worst(doors, args.details))
    if args.events:
        keep_events(doors, args.events)
    if args.markdown:
        args.markdown.write_text(text + "\n", encoding="utf-8")
    if args.save:
        folder = ROOT / "quality/runs" / machine.slug
        name = f"{kind}-{args.model.stem}-{args.lang.replace(',', '-')}-{args.clients}"
        folder.mkdir(parents=True, exist_ok=True)
        if doors:
            report.save(doors, folder / f"{name}.tsv")
        (folder / f"{name}.md").write_text(text + "\n", encoding="utf-8")
        print(f"\nsaved as {folder.relative_to(ROOT)}/{name}")


if __name__ == "__main__":
    main()

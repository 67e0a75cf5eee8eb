#!/usr/bin/env python3
"""Makes the test voices: tiny ONNX graphs with the inputs and the output of a Piper voice.

They do not speak: each phoneme id becomes a short tone of its own pitch. That is enough to run the real ONNX Runtime
and the real voice loader in tests, and to hear in the result which phonemes went in, for how long, by which speaker.

    python3 models/test-voice/make.py        # writes tone.onnx, tones.onnx and their .onnx.json beside itself

Needs nothing but Python: the few protobuf messages of ONNX that occur are written by hand.
Graph: input int64 [1, N], input_lengths int64 [1], scales float [3] (noise, length, noise_w), sid int64 [1] (tones only)
    -> output float [1, 1, T], T = N * int(600 * length).
"""

import json
import math
import struct
from pathlib import Path

RATE = 22_050
SAMPLES_PER_ID = 600.0
FLOAT, INT64 = 1, 7  # TensorProto.DataType

# What espeak-ng writes: marks, Latin and IPA letters, stress and length.
PHONEMES = "_^$ !'(),-.:;?abcdefhijklmnopqrstuvwxyzæçðøħŋœǀǁǂǃɐɑɒɓɔɕɖɗɘəɚɛɜɞɟɠɡɢɣɤɥɦɧɨɪɫɬɭɮɯɰɱɲɳɴɵɶɸɹɺɻɽɾʀʁʂʃʄʈʉʊʋʌʍʎʏʐʑʒʔʕʘʙʛʜʝʟʡʢʲˈˌːˑ˞βθχᵻⱱʰˤε↓#\u0303\u0329\u032a\u032f\u0361ɝʦ"


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def message(field: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return varint(field << 3 | 2) + varint(len(body)) + body


def text(field: int, value: str) -> bytes:
    return message(field, value.encode())


def value_info(field: int, name: str, kind: int, shape: list) -> bytes:
    """ValueInfoProto; a string in `shape` names a dimension that varies."""
    dims = [message(1, text(2, d) if isinstance(d, str) else number(1, d)) for d in shape]
    return message(field, text(1, name), message(2, message(1, number(1, kind), message(2, *dims))))


def constant(name: str, kind: int, values: list, shape: list) -> bytes:
    """TensorProto among the graph's initializers."""
    raw = struct.pack(f"<{len(values)}{'f' if kind == FLOAT else 'q'}", *values)
    return message(5, *[number(1, d) for d in shape], number(2, kind), text(8, name), message(9, raw))


def node(operator: str, inputs: list, output: str, **attributes: int) -> bytes:
    """NodeProto with integer attributes only."""
    given = [message(5, text(1, name), number(3, value), number(20, 2)) for name, value in attributes.items()]
    return message(1, *[text(1, name) for name in inputs], text(2, output), text(4, operator), *given)


def graph(speakers: bool) -> bytes:
    parts = [
        node("Cast", ["input"], "ids", to=FLOAT),
        node("Reshape", ["ids", "column"], "ids_column"),
        node("Mul", ["ids_column", "hz_per_id"], "above"),
        node("Add", ["above", "lowest_hz"], "voice_hz" if speakers else "hz"),
    ]
    if speakers:
        parts += [
            node("Cast", ["sid"], "speaker", to=FLOAT),
            node("Mul", ["speaker", "hz_per_speaker"], "higher"),
            node("Add", ["voice_hz", "higher"], "hz"),
        ]
    parts += [
        node("Gather", ["scales", "one"], "length", axis=0),
        node("Mul", ["length", "samples_per_id"], "samples"),
        node("Cast", ["samples"], "count", to=INT64),
        node("Concat", ["one", "count"], "shape", axis=0),
        node("Expand", ["hz", "shape"], "hz_by_id"),
        node("Reshape", ["hz_by_id", "flat"], "hz_by_sample"),
        node("Mul", ["hz_by_sample", "radians"], "steps"),
        node("CumSum", ["steps", "zero"], "phase"),
        node("Sin", ["phase"], "wave"),
        node("Mul", ["wave", "loudness"], "tone"),
        node("Reshape", ["tone", "batch"], "output"),
        text(2, "test-voice"),
        constant("column", INT64, [-1, 1], [2]),
        constant("flat", INT64, [-1], [1]),
        constant("batch", INT64, [1, 1, -1], [3]),
        constant("one", INT64, [1], [1]),
        constant("zero", INT64, [0], []),
        constant("hz_per_id", FLOAT, [6.0], [1]),
        constant("lowest_hz", FLOAT, [150.0], [1]),
        constant("samples_per_id", FLOAT, [SAMPLES_PER_ID], [1]),
        constant("radians", FLOAT, [2 * math.pi / RATE], [1]),
        constant("loudness", FLOAT, [0.3], [1]),
    ]
    if speakers:
        parts.append(constant("hz_per_speaker", FLOAT, [1000.0], [1]))
    parts += [
        value_info(11, "input", INT64, ["batch", "phonemes"]),
        value_info(11, "input_lengths", INT64, ["batch"]),
        value_info(11, "scales", FLOAT, [3]),
    ]
    if speakers:
        parts.append(value_info(11, "sid", INT64, ["batch"]))
    parts.append(value_info(12, "output", FLOAT, ["batch", 1, "time"]))
    return b"".join(parts)


def model(speakers: bool) -> bytes:
    opset = message(8, text(1, ""), number(2, 13))
    return number(1, 8) + text(2, "test-voice/make.py") + message(7, graph(speakers)) + opset


def config(dataset: str, speakers: dict) -> dict:
    return {
        "audio": {"sample_rate": RATE, "quality": "test"},
        "dataset": dataset,
        "espeak": {"voice": "en-us"},
        "language": {
            "code": "en_US",
            "family": "en",
            "region": "US",
            "name_english": "English",
            "country_english": "United States",
        },
        "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
        "phoneme_type": "espeak",
        "phoneme_id_map": {phoneme: [number] for number, phoneme in enumerate(PHONEMES)},
        "num_speakers": max(1, len(speakers)),
        "speaker_id_map": speakers,
    }


def main() -> None:
    here = Path(__file__).parent
    for name, speakers in [("tone", {}), ("tones", {"low": 0, "high": 1})]:
        onnx = here / f"{name}.onnx"
        onnx.write_bytes(model(bool(speakers)))
        written = json.dumps(config(name, speakers), ensure_ascii=False, indent=1)
        onnx.with_suffix(".onnx.json").write_text(written + "\n", encoding="utf-8")
        print(f"{onnx.name}: {onnx.stat().st_size} bytes")


if __name__ == "__main__":
    main()

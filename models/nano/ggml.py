"""Read and write Whisper models in whisper.cpp's ggml format, f16 or q5_1.

File layout (little endian): magic, 11 int32 hyper-parameters, the mel filter
bank, the byte strings of the tokens, then the tensors. A model is a `Model`
with float32 tensors named as in OpenAI's Whisper.
"""
import os
import struct
from dataclasses import dataclass, field

import numpy as np

MAGIC = 0x67676D6C
HPARAMS = ("n_vocab n_audio_ctx n_audio_state n_audio_head n_audio_layer n_text_ctx "
           "n_text_state n_text_head n_text_layer n_mels ftype").split()
F32, F16, Q5_1 = 0, 1, 7              # ggml tensor types
FILE_F16, FILE_Q5_1 = 1, 2009         # `ftype`: 9 = mostly q5_1, 2000 = format 2
BLOCK = 32                            # weights in a q5_1 block
BLOCK_BYTES = np.dtype([("d", "<f2"), ("m", "<f2"), ("high", "<u4"), ("low", "u1", 16)])


@dataclass
class Model:
    hparams: dict                     # the eleven HPARAMS
    filters: np.ndarray               # (n_mels, 201) mel filter bank
    tokens: list                      # byte string of each token
    tensors: dict = field(default_factory=dict)


def quantise(weights):
    """float32 (rows, columns) -> array of q5_1 blocks; columns divisible by 32.
    A weight is d * q + m with q in 0..31."""
    x = np.asarray(weights, np.float32).reshape(-1, BLOCK)
    low, high = x.min(1), x.max(1)
    blocks = np.zeros(len(x), BLOCK_BYTES)
    blocks["d"], blocks["m"] = (high - low) / 31, low
    # Quantise against the rounded f16 scale and minimum that a reader will see.
    d = blocks["d"].astype(np.float32)[:, None]
    m = blocks["m"].astype(np.float32)[:, None]
    q = np.clip(np.rint((x - m) / np.where(d > 0, d, 1)), 0, 31).astype(np.uint32)
    blocks["low"] = (q[:, :16] & 15) | ((q[:, 16:] & 15) << 4)
    blocks["high"] = ((q >> 4) << np.arange(BLOCK, dtype=np.uint32)).sum(1).astype(np.uint32)
    return blocks


def dequantise(blocks):
    """q5_1 blocks -> float32 (blocks, 32)."""
    low = np.concatenate([blocks["low"] & 15, blocks["low"] >> 4], 1).astype(np.uint32)
    high = (blocks["high"][:, None] >> np.arange(BLOCK, dtype=np.uint32)) & 1
    scale, minimum = (blocks[k].astype(np.float32)[:, None] for k in "dm")
    return scale * (low | (high << 4)).astype(np.float32) + minimum


def read(path, tensors=True):
    """Read a model; with tensors=False only its header, filters and tokens."""
    with open(path, "rb") as file:
        def ints(count):
            return struct.unpack(f"<{count}i", file.read(4 * count))

        if ints(1)[0] != MAGIC:
            raise ValueError(f"{path} is not a ggml model")
        hparams = dict(zip(HPARAMS, ints(11)))
        rows, columns = ints(2)
        filters = np.frombuffer(file.read(4 * rows * columns), "<f4").reshape(rows, columns)
        tokens = [file.read(ints(1)[0]) for _ in range(ints(1)[0])]
        model = Model(hparams, filters.copy(), tokens)
        while tensors and (head := file.read(12)):
            dims, length, kind = struct.unpack("<3i", head)
            shape = ints(dims)[::-1]
            name = file.read(length).decode()
            count = int(np.prod(shape))
            if kind == Q5_1:
                data = np.frombuffer(file.read(count // BLOCK * 24), BLOCK_BYTES)
                values = dequantise(data)
            else:
                size = {F32: 4, F16: 2}[kind]
                values = np.frombuffer(file.read(size * count), f"<f{size}")
            model.tensors[name] = values.astype(np.float32).reshape(shape)
        return model


def write(path, model, quantised):
    """Write a model, replacing the file in one step. As whisper.cpp's own tools
    do, matrices become q5_1 (or f16), convolutions f16, and biases, norms and
    positions stay f32."""
    temporary = f"{path}.part"
    with open(temporary, "wb") as file:
        hparams = dict(model.hparams, ftype=FILE_Q5_1 if quantised else FILE_F16)
        file.write(struct.pack("<12i", MAGIC, *(hparams[key] for key in HPARAMS)))
        file.write(struct.pack("<2i", *model.filters.shape))
        file.write(model.filters.astype("<f4").tobytes())
        file.write(struct.pack("<i", len(model.tokens)))
        for token in model.tokens:
            file.write(struct.pack("<i", len(token)) + token)
        for name, values in model.tensors.items():
            plain = values.ndim < 2 or name.endswith(("bias", "positional_embedding"))
            if plain:
                kind, data = F32, values.astype("<f4")
            elif quantised and values.ndim == 2:
                kind, data = Q5_1, quantise(values)
            else:
                kind, data = F16, values.astype("<f2")
            file.write(struct.pack("<3i", values.ndim, len(name), kind))
            file.write(struct.pack(f"<{values.ndim}i", *values.shape[::-1]))
            file.write(name.encode() + data.tobytes())
    os.replace(temporary, path)

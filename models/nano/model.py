"""Whisper's network in JAX, small, with the losses used to train it.

Parameters are a flat dict of float32 arrays named as in OpenAI's Whisper, plus
"words.weight" and "words.bias", a training-only head that names the word
spoken in each encoder frame. Shapes: B batch, F encoder frames of 20 ms (the
audio context), L text positions, d model width.

Only the tokens of the vocabulary have an embedding row here. Column 0 of the
embedding is kept at zero for them: see `export` in train.py.
"""
import jax
import jax.numpy as jnp
import numpy as np
import optax

D, HEADS, ENCODER_LAYERS, DECODER_LAYERS = 128, 2, 4, 2
AUDIO_CONTEXT, TEXT_CONTEXT, MELS = 512, 128, 80
ATTENTION_WIDTH = 8.0            # frames: spread of the guided attention target
GUIDE_HEAD = 0                   # the cross-attention head that is guided
WORD_WEIGHT, GUIDE_WEIGHT = 0.4, 0.25


def positions(count, width):
    """Whisper's fixed encoder positions (count, width)."""
    scale = np.exp(-np.log(10000) / (width // 2 - 1) * np.arange(width // 2))
    angle = np.arange(count)[:, None] * scale
    return np.concatenate([np.sin(angle), np.cos(angle)], 1).astype(np.float32)


def initial(seed, tokens, words):
    """Random parameters for `tokens` embedding rows and `words` word labels."""
    rng = np.random.default_rng(seed)
    params = {}

    def dense(name, rows, columns, gain=1.0, bias=True):
        params[name + ".weight"] = rng.standard_normal((rows, columns)) * gain * columns ** -0.5
        if bias:
            params[name + ".bias"] = np.zeros(rows)

    def norm(name):
        params[name + ".weight"], params[name + ".bias"] = np.ones(D), np.zeros(D)

    for name, inputs in (("encoder.conv1", MELS), ("encoder.conv2", D)):
        params[name + ".weight"] = rng.standard_normal((D, inputs, 3)) * (2 / (3 * inputs)) ** 0.5
        params[name + ".bias"] = np.zeros(D)
    for side, layers in (("encoder", ENCODER_LAYERS), ("decoder", DECODER_LAYERS)):
        out_gain = (2 * layers) ** -0.5
        for layer in range(layers):
            block = f"{side}.blocks.{layer}."
            for kind in ["attn"] + ["cross_attn"] * (side == "decoder"):
                dense(block + kind + ".query", D, D)
                dense(block + kind + ".key", D, D, bias=False)
                dense(block + kind + ".value", D, D)
                dense(block + kind + ".out", D, D, out_gain)
                norm(block + kind + "_ln")
            dense(block + "mlp.0", 4 * D, D, 1.2)
            dense(block + "mlp.2", D, 4 * D, out_gain)
            norm(block + "mlp_ln")
    norm("encoder.ln_post")
    norm("decoder.ln")
    params["decoder.token_embedding.weight"] = rng.standard_normal((tokens, D)) * 0.1
    params["decoder.positional_embedding"] = rng.standard_normal((TEXT_CONTEXT, D)) * 0.02
    dense("words", words, D)
    return {name: np.asarray(value, np.float32) for name, value in params.items()}


def layer_norm(x, params, name):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return ((x - mean) * jax.lax.rsqrt(variance + 1e-5) * params[name + ".weight"]
            + params[name + ".bias"])


def linear(x, params, name):
    y = x @ params[name + ".weight"].T
    return y + params[name + ".bias"] if name + ".bias" in params else y


def attention(queries, keys, params, name, mask=None):
    """(B, Tq, d), (B, Tk, d) -> result (B, Tq, d), weights (B, HEADS, Tq, Tk)."""
    def split(x):
        return x.reshape(*x.shape[:2], HEADS, D // HEADS)

    q = split(linear(queries, params, name + ".query"))
    k = split(linear(keys, params, name + ".key"))
    v = split(linear(keys, params, name + ".value"))
    scores = jnp.einsum("bqhc,bkhc->bhqk", q, k) * (D // HEADS) ** -0.5
    if mask is not None:
        scores = jnp.where(mask, scores, -1e9)
    weights = jax.nn.softmax(scores, -1)
    mixed = jnp.einsum("bhqk,bkhc->bqhc", weights, v).reshape(queries.shape)
    return linear(mixed, params, name + ".out"), weights


def feed_forward(x, params, block):
    hidden = jax.nn.gelu(linear(layer_norm(x, params, block + "mlp_ln"), params,
                                block + "mlp.0"), approximate=True)
    return x + linear(hidden, params, block + "mlp.2")


def convolve(x, params, name, stride):
    """Width-3 convolution (B, T, channels) -> (B, T / stride, d), as one matrix product."""
    weight = params[name + ".weight"]
    padded = jnp.pad(x, ((0, 0), (1, 1), (0, 0)))
    last = stride * (x.shape[1] // stride - 1) + 1
    stacked = jnp.concatenate([padded[:, i:i + last:stride] for i in range(3)], -1)
    flat = weight.transpose(2, 1, 0).reshape(-1, weight.shape[0])
    return jax.nn.gelu(stacked @ flat + params[name + ".bias"], approximate=True)


def encode(params, mel):
    """Normalised log-mel (B, 2F, 80) -> (B, F, d)."""
    x = convolve(mel, params, "encoder.conv1", 1)
    x = convolve(x, params, "encoder.conv2", 2)
    x = x + positions(AUDIO_CONTEXT, D)[:x.shape[1]]
    for layer in range(ENCODER_LAYERS):
        block = f"encoder.blocks.{layer}."
        h = layer_norm(x, params, block + "attn_ln")
        x = x + attention(h, h, params, block + "attn")[0]
        x = feed_forward(x, params, block)
    return layer_norm(x, params, "encoder.ln_post")


def decode(params, audio, tokens):
    """Encoder output (B, F, d), token rows (B, L) -> logits (B, L, tokens) and the
    guided head's cross-attention of each layer, (B, L, F)."""
    table = params["decoder.token_embedding.weight"].at[:, 0].set(0.0)
    length = tokens.shape[1]
    x = table[tokens] + params["decoder.positional_embedding"][:length]
    causal = jnp.tril(jnp.ones((length, length), bool))
    guided = []
    for layer in range(DECODER_LAYERS):
        block = f"decoder.blocks.{layer}."
        h = layer_norm(x, params, block + "attn_ln")
        x = x + attention(h, h, params, block + "attn", causal)[0]
        h = layer_norm(x, params, block + "cross_attn_ln")
        mixed, weights = attention(h, audio, params, block + "cross_attn")
        guided.append(weights[:, GUIDE_HEAD])
        x = feed_forward(x + mixed, params, block)
    return layer_norm(x, params, "decoder.ln") @ table.T, guided


def front(batch):
    """Mix speech and noise and normalise as whisper.cpp does: (B, 2F, 80)."""
    mel = jnp.log10(10.0 ** batch["speech"] + 10.0 ** batch["noise"]) + batch["band"][:, None]
    mel = jnp.maximum(mel, -10.0)
    mel = jnp.maximum(mel, mel.max((1, 2), keepdims=True) - 8.0)
    return (mel + 4) / 4 * batch["keep_bands"][:, None] * batch["keep_frames"][:, :, None]


def loss(params, batch):
    """Scalar loss and a dict of its parts; `batch` is described in batches.py."""
    audio = encode(params, front(batch))
    logits, guided = decode(params, audio, batch["inputs"])
    weight = batch["weights"]
    text = optax.softmax_cross_entropy_with_integer_labels(logits, batch["targets"])
    text = (text * weight).sum() / weight.sum()
    right = ((logits.argmax(-1) == batch["targets"]) * weight).sum() / weight.sum()
    labels = batch["labels"]
    known = labels >= 0
    word = optax.softmax_cross_entropy_with_integer_labels(
        linear(audio, params, "words"), jnp.maximum(labels, 0))
    word = (word * known).sum() / (known.sum() + 1)
    distance = jnp.arange(audio.shape[1]) - batch["centres"][:, :, None]
    target = jnp.exp(-0.5 * (distance / ATTENTION_WIDTH) ** 2)
    has_centre = batch["centres"] >= 0
    guide = sum((-jnp.log((a * target).sum(-1) + 1e-3) * has_centre).sum() for a in guided)
    guide = guide / (has_centre.sum() + 1)
    total = text + WORD_WEIGHT * word + GUIDE_WEIGHT * guide
    return total, {"text": text, "right": right, "word": word, "guide": guide}

"""Train the nano model for a given wall-clock time and export it.

    python train.py --shards work/shard1 work/shard2 --minutes 60 --out work/nano

starts from the committed model (or --init another .bin or a checkpoint .npz, or
--from-scratch) and writes OUT.npz (checkpoint), OUT-f16.bin and OUT-q5_1.bin.
"""
import argparse
import os
import queue
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

import batches
import features
import ggml
import grammar
import model
from make_data import DEFAULT_MODEL

UNUSED = -30.0       # logit of the tokens the model never writes
EMBEDDING = "decoder.token_embedding.weight"
TRAINING_ONLY = "words."


def warm_start(params, init, rows):
    """Copy the parameters of a model file or checkpoint over `params`. Tokens it was
    not trained on get rows of the trained rows' scale. Returns the parameters and
    the weight that each may have in a blend (see `blend`)."""
    shares = {name: float(not name.startswith(TRAINING_ONLY)) for name in params}
    if init.endswith(".npz"):
        with np.load(init) as stored:
            return {name: stored[name] for name in params}, shares
    tensors = ggml.read(init).tensors
    table = tensors[EMBEDDING][rows]
    trained = table[:, 0] > UNUSED / 2
    new = params[EMBEDDING] / params[EMBEDDING].std() * table[trained, 1:].std()
    tensors[EMBEDDING] = np.where(trained[:, None], table, new)
    print(f"{trained.sum()} of {len(rows)} token rows start trained", flush=True)
    shares[EMBEDDING] = trained[:, None].astype(np.float32)
    return {name: tensors.get(name, value).reshape(value.shape)
            for name, value in params.items()}, shares


def blend(trained, start, shares, keep):
    """`keep` of the starting weights, the rest trained ones: a mean of two
    solutions often hears unseen voices better than either. New parts stay as trained."""
    return {name: value + keep * shares[name] * (start[name] - value)
            for name, value in trained.items()}


def export(path, params, rows, header):
    """Write PATH-f16.bin and PATH-q5_1.bin.

    Every unused token's row is [UNUSED, 0, 0, ...] and the last norm's output is
    made 1 in column 0, so those logits are always UNUSED; trained rows have 0
    there, so theirs are unchanged.
    """
    tensors = {name: np.array(value) for name, value in params.items()
               if not name.startswith(TRAINING_ONLY)}
    table = np.zeros((header.hparams["n_vocab"], model.D), np.float32)
    table[:, 0] = UNUSED
    table[rows] = tensors[EMBEDDING]
    table[rows, 0] = 0
    tensors[EMBEDDING] = table
    tensors["decoder.ln.weight"][0], tensors["decoder.ln.bias"][0] = 0, 1
    tensors["encoder.positional_embedding"] = model.positions(model.AUDIO_CONTEXT, model.D)
    for name in ("encoder.conv1.bias", "encoder.conv2.bias"):
        tensors[name] = tensors[name].reshape(-1, 1)
    hparams = dict(n_vocab=len(table), n_audio_ctx=model.AUDIO_CONTEXT, n_audio_state=model.D,
                   n_audio_head=model.HEADS, n_audio_layer=model.ENCODER_LAYERS,
                   n_text_ctx=model.TEXT_CONTEXT, n_text_state=model.D,
                   n_text_head=model.HEADS, n_text_layer=model.DECODER_LAYERS,
                   n_mels=model.MELS)
    result = ggml.Model(hparams, header.filters, header.tokens, tensors)
    ggml.write(path + "-f16.bin", result, quantised=False)
    ggml.write(path + "-q5_1.bin", result, quantised=True)


def save(path, params):
    np.savez(path + ".part.npz", **{name: np.asarray(value) for name, value in params.items()})
    os.replace(path + ".part.npz", path + ".npz")


def producer(source, context_weights, fill, seed):
    """Thread that keeps `fill` full of (context, batch)."""
    rng = np.random.default_rng(seed)
    while True:
        context = int(rng.choice(list(batches.SHAPES), p=context_weights))
        fill.put((context, source.batch(context)))


def train(params, source, minutes, peak, out, seed):
    """AdamW; the learning rate falls with the clock as a cosine from `peak` to 1 %."""
    decayed = {name: value.ndim > 1 for name, value in params.items()}
    optimiser = optax.chain(optax.clip_by_global_norm(1.0),
                            optax.scale_by_adam(b1=0.9, b2=0.98),
                            optax.add_decayed_weights(0.01, mask=decayed))
    state = optimiser.init(params)

    def step(params, state, batch, rate):
        (_, parts), slope = jax.value_and_grad(model.loss, has_aux=True)(params, batch)
        change, state = optimiser.update(slope, state, params)
        return jax.tree.map(lambda p, c: p - rate * c, params, change), state, parts

    step = jax.jit(step, donate_argnums=(0, 1))
    waiting = queue.Queue(6)
    threading.Thread(target=producer, args=(source, [0.5, 0.27, 0.23], waiting, seed),
                     daemon=True).start()
    begin, steps, samples, means, saved = time.time(), 0, 0, {}, 0.0
    while (progress := (time.time() - begin) / (60 * minutes)) < 1:
        cosine = 0.5 + 0.5 * np.cos(np.pi * max(0, progress - 0.05) / 0.95)
        rate = peak * min(1, (steps + 1) / 60) * (0.01 + 0.99 * cosine)
        context, batch = waiting.get()
        params, state, parts = step(params, state, batch, np.float32(rate))
        samples, steps = samples + batches.SHAPES[context][0], steps + 1
        for name, value in parts.items():
            key = f"{name}/{context}"
            means[key] = 0.97 * means.get(key, float(value)) + 0.03 * float(value)
        if steps % 50 == 0:
            shown = " ".join(f"{key} {value:.3f}" for key, value in sorted(means.items()))
            print(f"{time.time() - begin:.0f} s, step {steps}, samples {samples}, "
                  f"rate {rate:.5f}: {shown}", flush=True)
        if progress > saved + 0.1:
            saved = progress
            save(out, params)
    print(f"{steps} steps, {samples} samples, {minutes} minutes", flush=True)
    return params


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shards", nargs="+", required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--peak", type=float, default=1.3e-3, help="highest learning rate")
    parser.add_argument("--model", default=str(DEFAULT_MODEL),
                        help="source of the mel filters and tokens")
    parser.add_argument("--init", help="start from this .bin or .npz; default: --model")
    parser.add_argument("--from-scratch", action="store_true")
    parser.add_argument("--keep", type=float, default=0.05,
                        help="share of the starting weights in the result")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    header = ggml.read(args.model, tensors=False)
    words = grammar.Grammar().words
    rows = batches.token_rows(features.Tokens(header.tokens), words)
    start, shares = model.initial(args.seed, len(rows), len(words) + 1), None
    if not args.from_scratch:
        start, shares = warm_start(start, args.init or args.model, rows)
    source = batches.Batches(args.shards, header, words, rows, args.seed)
    params = {name: jnp.array(value) for name, value in start.items()}
    print(f"{len(source.utterances)} utterances, {source.hours:.1f} h, {len(rows)} tokens, "
          f"{sum(p.size for p in params.values())} parameters", flush=True)
    params = train(params, source, args.minutes, args.peak, args.out, args.seed)
    save(args.out, params)
    if shares:
        params = blend(params, start, shares, args.keep)
    export(args.out, params, rows, header)


if __name__ == "__main__":
    main()

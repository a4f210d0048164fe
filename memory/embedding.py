"""Text as vectors for the store. The default needs no download and gives the same vector on every machine; MiniLM and OpenAI are options.

The store remembers by which embedder it was filled: vectors of two embedders cannot be compared.
"""

from __future__ import annotations

import os
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agentnas.memory.lexical import ngrams
from agentnas.memory.stems import fold, words
from agentnas.tools.errors import ConfigError, StoreError, UsageError

Vectors = NDArray[np.float32]
WORD_SLOTS, NGRAM_SLOTS = 128, 64
# Words that nearly every text of the field holds say little: a fixed list, since weights that follow the texts would move all vectors.
COMMON = """
graph neural network gnn model method node edge feature learning layer training data task architecture design search use when what why do
dropout width adam optimiser learning_rate weight_decay epochs patience body head recipe input relu validation test none linear
"""
COMMON_WEIGHT = 0.4
MIXER = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing (Knuth, 1973): spreads the codes of n-grams over the slots
OPENAI_DIMENSION = 512
OPENAI_BATCH = 256


class Embedder(Protocol):
    """Turns texts into vectors; ``name`` changes whenever the vectors do."""

    @property
    def name(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """[len(texts), dimension], rows of norm 1, or 0 for a text without words. Raises StoreError where a service does not answer."""
        ...


def make_embedder(name: str) -> Embedder:
    """``lexical``, ``minilm`` or ``openai:MODEL``; raises UsageError for another name, ConfigError where weights or a key are missing."""
    if name == "lexical":
        return Lexical()
    if name == "minilm":
        return MiniLM()
    if name.startswith("openai:") and name != "openai:":
        return OpenAI(name.removeprefix("openai:"))
    raise UsageError(f"embedder {name!r} does not exist; allowed: lexical, minilm, openai:MODEL")


class Lexical:
    """Hashed stems and hashed character 3-5-grams, half of the weight each; counts are damped, words of the field's everyday are light."""

    name = "lexical-1"
    dimension = WORD_SLOTS + NGRAM_SLOTS

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = [np.concatenate([_hashed_words(text), _hashed_ngrams(text)]) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(len(texts), self.dimension) / np.float32(np.sqrt(2))


class MiniLM:
    """all-MiniLM-L6-v2 by ONNX, with the weights that Chroma keeps in the user's cache; they are never downloaded from here."""

    name = "minilm-l6-v2"
    dimension = 384

    def __init__(self) -> None:
        from chromadb.utils.embedding_functions.onnx_mini_lm_l6_v2 import ONNXMiniLM_L6_V2

        weights = Path(ONNXMiniLM_L6_V2.DOWNLOAD_PATH) / ONNXMiniLM_L6_V2.EXTRACTED_FOLDER_NAME / "model.onnx"
        if not weights.is_file():
            raise ConfigError(f"--embedder minilm needs its weights in {weights}; put them there, or leave the default, lexical")
        self._model: Any = ONNXMiniLM_L6_V2()

    def embed(self, texts: Sequence[str]) -> Vectors:
        return _unit_rows(np.asarray(self._model(list(texts)), dtype=np.float32).reshape(len(texts), self.dimension))


class OpenAI:
    """An embedding model of OpenAI, or of a server that speaks like it (``OPENAI_BASE_URL``)."""

    dimension = OPENAI_DIMENSION

    def __init__(self, model: str) -> None:
        import openai

        if not os.environ.get("OPENAI_API_KEY"):
            raise ConfigError(f"--embedder openai:{model} needs OPENAI_API_KEY; set it, or leave the default, lexical")
        self.model, self.name = model, f"openai:{model}"
        self._client = openai.OpenAI(timeout=30.0, max_retries=2)

    def embed(self, texts: Sequence[str]) -> Vectors:
        import openai

        rows: list[list[float]] = []
        for start in range(0, len(texts), OPENAI_BATCH):
            batch = [text or " " for text in texts[start : start + OPENAI_BATCH]]  # an empty text is a bad request
            try:
                answer = self._client.embeddings.create(model=self.model, input=batch, dimensions=self.dimension, encoding_format="float")
            except openai.OpenAIError as error:
                raise StoreError(f"embedder {self.name} does not answer: {str(error).splitlines()[0]}") from None
            rows += [item.embedding for item in answer.data]
        return _unit_rows(np.array(rows, dtype=np.float32).reshape(len(texts), self.dimension))


def _hashed_words(text: str) -> Vectors:
    counts = Counter(words(text))
    slots = np.zeros(WORD_SLOTS, dtype=np.float64)
    for word, count in counts.items():
        code = zlib.crc32(word.encode())
        sign = 1.0 if code & 1 else -1.0  # collisions then cancel as often as they add up
        slots[(code >> 1) % WORD_SLOTS] += sign * _weight(word) * np.log2(1 + count)
    return _unit(slots)


def _hashed_ngrams(text: str) -> Vectors:
    if not fold(text):
        return np.zeros(NGRAM_SLOTS, dtype=np.float32)
    codes, counts = np.unique(ngrams(text), return_counts=True)
    mixed = codes.astype(np.uint64) * MIXER
    slots = (mixed >> np.uint64(58)).astype(np.int64)  # the six highest bits: 64 slots
    signs = 1.0 - 2.0 * ((mixed >> np.uint64(57)) & np.uint64(1)).astype(np.float64)
    return _unit(np.bincount(slots, signs * np.log2(1 + counts), minlength=NGRAM_SLOTS).astype(np.float64))


def _weight(word: str) -> float:
    return COMMON_WEIGHT if word in _common() else 1.0


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    return frozenset(words(COMMON))


def _unit(vector: NDArray[np.float64]) -> Vectors:
    norm = float(np.linalg.norm(vector))
    return (vector / norm if norm else vector).astype(np.float32)


def _unit_rows(rows: Vectors) -> Vectors:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1), dtype=np.float32)

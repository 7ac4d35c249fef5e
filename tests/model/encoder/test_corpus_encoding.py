from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from crossover.data.bad_input import BadInput
from crossover.data.inbox import Inbox
from crossover.model import runtime
from crossover.model.embedding_cache import forget
from crossover.model.encoder.corpus_encoding import Estimate, encode_corpus, estimate
from crossover.model.encoder.encoder import Encoder

PROGRAM = """
import resource, sys
from pathlib import Path
from crossover.data.inbox import Inbox
from crossover.model import embedding_cache, runtime
from crossover.model.encoder.corpus_encoding import encode_corpus
from crossover.model.encoder.encoder import Encoder
model, cache, rows, texts = sys.argv[1:]
embedding_cache.TEXTS_PER_SHARD = int(texts)
embedding_cache.HELD_BYTES = 1 << 20
encoder = Encoder(model, max_length=16)
with runtime.use(runtime.Runtime(cache=Path(cache), threads=1)):
    done = encode_corpus(encoder, Inbox(rows=int(rows)), Path(cache))
print(*done, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def started(model: Path, cache: Path, rows: int, texts: int = 2048) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", PROGRAM, str(model), str(cache), str(rows), str(texts)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)


def ended(process: subprocess.Popen[str]) -> tuple[int, int, int]:
    """Texts read, vectors computed, peak memory in KiB."""
    told, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    read, computed, peak = map(int, told.split())
    return read, computed, peak


def test_a_corpus_is_encoded_once_and_then_found(tiny_model: Path, tmp_path: Path) -> None:
    encoder, source = Encoder(str(tiny_model), max_length=16), Inbox(rows=300)
    forget()
    steps: list[tuple[int, int]] = []
    told: list[Estimate] = []
    with runtime.use(runtime.Runtime(cache=tmp_path)):
        done = encode_corpus(encoder, source, tmp_path, lambda at, of, _: steps.append((at, of)), told.append)
        texts = source.load().texts
        assert done == (300, len(set(texts))) and steps[-1] == (300, 300)
        assert told[0].rows == 300 and told[0].seconds > 0
        forget()
        assert encode_corpus(encoder, source, tmp_path) == (300, 0)
        found, cost = encoder.encode(texts)
    assert cost["encode_seconds"] == 0
    kept = sum(file.stat().st_size for file in tmp_path.rglob("*.safetensors"))
    assert 0.9 * kept < told[0].bytes < 1.1 * kept
    forget()
    np.testing.assert_array_equal(found, encoder.encode(texts)[0])
    forget()


def test_an_estimate_grows_with_rows_and_is_said_in_hours() -> None:
    assert str(Estimate(1000, 12.4, 2_000_000)) == "1,000 texts: at most about 12 s and 2 MB of disk"
    assert "2 h 5 min and 1,584 MB" in str(Estimate(1_000_000, 7530, 1_584_000_000))


def test_what_the_disk_has_no_room_for_is_refused_before_it_starts(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = Encoder(str(tiny_model), max_length=16)
    usage = namedtuple("usage", "total used free")
    texts = Inbox(rows=50).load().texts
    need = estimate(encoder, texts, 50).bytes + 64 * 2**20
    for free, refused in ((need - 1, True), (need, False)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage(0, 0, free))
        with runtime.use(runtime.Runtime(cache=tmp_path / "cache")):
            if refused:
                with pytest.raises(BadInput, match=r"50 texts: .*67 MB left.*store="):
                    encode_corpus(encoder, Inbox(rows=50), tmp_path / "cache")
                assert not list(tmp_path.rglob("*.safetensors"))
            else:
                assert encode_corpus(encoder, Inbox(rows=50), tmp_path / "cache")[0] == 50
    forget()


@pytest.mark.slow
def test_killed_half_way_it_goes_on_where_it_was(tiny_model: Path, tmp_path: Path) -> None:
    process = started(tiny_model, tmp_path, 6000, texts=100)
    deadline = time.monotonic() + 120
    while len(list(tmp_path.rglob("*.safetensors"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.safetensors")}
    assert len(before) >= 5 and process.returncode == -signal.SIGKILL
    distinct = len(set(Inbox(rows=6000).load().texts))
    read, computed, _ = ended(started(tiny_model, tmp_path, 6000, texts=100))
    assert read == 6000 and computed == distinct - 100 * len(before) < distinct
    assert all(file.stat().st_mtime_ns == at for file, at in before.items())
    assert ended(started(tiny_model, tmp_path, 6000, texts=100))[1] == 0


@pytest.mark.slow
def test_peak_memory_does_not_grow_with_rows(tiny_model: Path, tmp_path: Path) -> None:
    few = ended(started(tiny_model, tmp_path / "few", 4000))
    many = ended(started(tiny_model, tmp_path / "many", 24_000))
    assert many[1] > 5 * few[1]
    # 20,000 names take 1 MB; noise of the allocator is more than their vectors here would be
    assert many[2] - few[2] < 24 * 1024

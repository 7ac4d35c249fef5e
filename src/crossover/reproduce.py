"""A stored run done again from its record alone, aside; and twice in fresh processes, as an audit.

No config is composed and nothing is resolved: a record is plain JSON. What is done again goes into
a folder of its own beside the store and is gone afterwards; runs/ and test_reads/ are not touched.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

from crossover import experiment
from crossover.data.bad_input import BadInput
from crossover.model.runtime import Runtime
from crossover.protocol.component import Component, build, resolve
from crossover.protocol.run_spec import RunSpec
from crossover.record.environment import thread_count
from crossover.record.reproduction import DIFFERENT, Reproduction, compare, tolerances_of
from crossover.record.run_record import RunRecord
from crossover.record.store import Store

HASH_SEEDS = ("0", "123")
"""PYTHONHASHSEED of the two processes of an audit: the order of sets must decide nothing."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Failed(Exception):
    """The run ended in an error this time; the message is the error's."""


def check_inputs(spec: RunSpec, store: Store) -> None:
    """See that corpus, split and every file of the model are there and are what the spec names.

    Raises:
        BadInput: one is missing or another by its SHA-256, or the code is at another behaviour
            version; which, and how to mend it.
    """
    corpus = store.corpus(spec.corpus)
    store.split(spec.split).verify(corpus)
    build(spec.model)
    for part in _parts(spec.model):
        _check_files(part)


def again(
    record: RunRecord,
    store: Store,
    threads: int | None = None,
    on_step: Callable[[int, int, str], None] | None = None,
) -> Reproduction:
    """Run a record's spec again and compare.

    ``threads`` None takes the record's number of threads, where every library had the same.

    Raises:
        BadInput: what the run stands on is missing or changed.
    """
    check_inputs(record.spec, store)
    with _aside(record.spec, store) as fresh:
        try:
            now = _run(record.spec, fresh, _around(record, threads, on_step))
        except Failed as error:
            return _unfinished(error)
        return compare(record, now, tolerances_of(record, store.runs()))


def audit(record: RunRecord, store: Store, threads: int | None = None) -> Reproduction:
    """Run a record's spec in two fresh processes that differ in PYTHONHASHSEED, and compare these two.

    Raises:
        BadInput: what the run stands on is missing or changed.
    """
    check_inputs(record.spec, store)
    around = _around(record, threads)
    with _aside(record.spec, store) as first, _aside(record.spec, store) as second:
        try:
            one = _in_fresh_process(record, store, first, around, HASH_SEEDS[0])
            other = _in_fresh_process(record, store, second, around, HASH_SEEDS[1])
        except Failed as error:
            return _unfinished(error)
        return compare(one, other, {})


def main(root: str, digest: str, aside: str, threads: str, device: str) -> None:
    """What a fresh process of an audit does: run one stored spec into the folder ``aside``."""
    fresh = Store(aside)
    around = Runtime(fresh.cache, int(threads) or None, device, checkpoint_seconds=None)
    _run(Store(root).run(digest).spec, fresh, around)


def _around(
    record: RunRecord, threads: int | None, on_step: Callable[[int, int, str], None] | None = None
) -> Runtime:
    """What surrounds the run again: the record's threads and device unless others are asked for."""
    known = cast(Mapping[str, object], record.environment.get("threads", {}))
    device = "cpu" if known.get("gpu") == "not used" else "auto"
    threads = threads or thread_count(record.environment)
    return Runtime(None, threads, device, on_step, checkpoint_seconds=None)


def _unfinished(error: Failed) -> Reproduction:
    return Reproduction(DIFFERENT, f"the run fails this time: {error}", (), False, (), None)


def _run(spec: RunSpec, fresh: Store, around: Runtime) -> RunRecord:
    # The cache is the fresh store's, and empty: vectors are computed again too.
    try:
        return experiment.run(spec, fresh, replace(around, cache=fresh.cache))
    except OSError:
        raise
    except Exception as error:
        raise Failed(f"{type(error).__name__}: {error}") from error


def _in_fresh_process(
    record: RunRecord, store: Store, fresh: Store, around: Runtime, hash_seed: str
) -> RunRecord:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    if around.threads is not None:
        environment |= dict.fromkeys(THREAD_VARIABLES, str(around.threads))
    root, threads = str(store.root.resolve()), str(around.threads or 0)
    words = [root, record.digest, str(fresh.root), threads, around.device]
    ended = subprocess.run(
        [sys.executable, "-m", "crossover.reproduce", *words], env=environment, capture_output=True, text=True
    )
    if ended.returncode:
        raise Failed((ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1])
    return fresh.run(record.digest)


@contextmanager
def _aside(spec: RunSpec, store: Store) -> Iterator[Store]:
    """A fresh store beside the store that sees its corpus and split and nothing else of it."""
    root = store.root.resolve()
    try:
        folder = tempfile.TemporaryDirectory(prefix=f".{root.name}-again-", dir=root.parent)
    except OSError as error:
        raise BadInput(
            f"{root.parent}: {error.strerror}; a run is done again beside its store: make it writable"
        ) from None
    with folder as made:
        fresh = Store(made)
        for kind, name in (("corpora", spec.corpus), ("splits", spec.split)):
            (fresh.root / kind / name).symlink_to(root / kind / name, target_is_directory=True)
        yield fresh


def _parts(part: Component) -> Iterator[Component]:
    yield part
    waiting: list[object] = list(part.settings.values())
    while waiting:
        value = waiting.pop()
        if isinstance(value, Component):
            yield from _parts(value)
        elif isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _check_files(part: Component) -> None:
    """The SHA-256 of the files a component names, found anew, against those in its settings."""
    pin = getattr(resolve(part.target), "pin", None)
    if pin is None:
        return
    named = {key: value for key, value in part.settings.items() if "sha256" in key and value}
    unpinned = {key: value for key, value in part.settings.items() if key not in named}
    found = cast(Mapping[str, object], pin(unpinned))
    for key, value in named.items():
        if found.get(key) != value:
            source = part.settings.get("path") or part.settings.get("name") or "the default"
            raise BadInput(
                f"{part.name} {source}: its {key} is now {str(found.get(key))[:16]}..., the record names "
                f"{str(value)[:16]}...; bring back the file the run was made with, or run its study anew"
            )


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Encode: the vectors of every text of a corpus into the store's cache; killed, it goes on where it was.

python scripts/encode.py data=inbox data.rows=1000000 encoder.dtype=bfloat16
What this machine is fastest at, measured in some seconds, nothing kept or changed: --probe
"""

import sys
from typing import cast

from crossover.compose import DONE, Composed, command
from crossover.report.terminal import progress


def task(composed: Composed) -> int:
    """Say what it takes, then do it; or measure the machine."""
    from crossover.model import runtime
    from crossover.model.encoder.corpus_encoding import encode_corpus
    from crossover.model.encoder.encoder import Encoder

    encoder = cast(Encoder, composed.made("encoder"))
    launch, cache = composed.cfg.launch, composed.store.cache
    threads, device = launch.get("threads"), launch.get("device", "auto")
    if composed.cfg.probe:
        from crossover.model.encoder.machine_probe import probe, report

        with runtime.use(runtime.Runtime(threads=threads, device=device)):
            print(report(probe(encoder)), flush=True)
        return DONE
    with progress() as bars, runtime.use(runtime.Runtime(cache, threads, device)):
        read, new = encode_corpus(
            encoder, composed.source, cache, bars.on_step, lambda told: print(told, flush=True)
        )
    print(f"encoded: {read:,} texts, {new:,} of them new, in {cache / 'embeddings'}", flush=True)
    return DONE


if __name__ == "__main__":
    sys.argv = ["probe=true" if word == "--probe" else word for word in sys.argv]
    command(task)()

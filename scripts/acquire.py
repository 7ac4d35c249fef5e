"""Acquire: read or generate a corpus and write it to a folder, with its card and what was planted in it.

python scripts/acquire.py data=inbox data.rows=1000000 to=mail
Read it back: data=table_file data.path=mail/corpus.parquet data.id=id
"""

from crossover.compose import DONE, Composed, command
from crossover.report.terminal import progress


def task(composed: Composed) -> int:
    """Write the corpus piece by piece where its source can, in constant memory."""
    from crossover.data.corpus_file import write_corpus

    with progress() as bars:
        folder = write_corpus(composed.source, composed.to, bars.on_step)
    print(f"corpus: {folder}", flush=True)
    return DONE


if __name__ == "__main__":
    command(task)()

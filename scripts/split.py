"""Make the split and say what it is: sizes asked and obtained, and what its audit finds.

python scripts/split.py data=youtube_spam data.path=youtube.parquet split=grouped split.by=[author]
"""

from crossover.compose import DONE, Composed, command
from crossover.report.terminal import print_findings, print_split


def task(composed: Composed) -> int:
    """Split, keep it in the store, audit it."""
    from crossover.split.audit import audit

    corpus, split = composed.corpus, composed.split
    print_split(corpus.name, split.to_json())
    print_findings(audit(corpus, split, goal=composed.goal))
    print(f"split: {composed.store.root / 'splits' / split.fingerprint}", flush=True)
    return DONE


if __name__ == "__main__":
    command(task)()

"""Look at the data before anything else: its card, balance, lengths and duplicates.

python scripts/look.py data=table_file data.path=my.csv data.text=message data.label=kind
"""

from crossover.compose import DONE, Composed, command
from crossover.report.terminal import print_card, print_findings


def task(composed: Composed) -> int:
    """Print what a reader of the data would want to be told."""
    from crossover.look.balance import balance
    from crossover.look.duplicates import duplicates
    from crossover.look.lengths import lengths

    corpus = composed.corpus
    print_card(corpus.name, len(corpus), corpus.card.to_json())
    print_findings([*balance(corpus), *lengths(corpus), *duplicates(corpus)])
    print(f"corpus: {composed.store.root / 'corpora' / corpus.fingerprint}", flush=True)
    return DONE


if __name__ == "__main__":
    command(task)()

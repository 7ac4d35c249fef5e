"""Estimate: what a labelled sample says of the population it was drawn from, with intervals.

python scripts/estimate.py to_label.csv
A run's scores over that population, by the sample's labels: python scripts/estimate.py to_audit.csv --run RUN
"""

from argparse import Namespace

from crossover.report.plain_command import plain_command
from crossover.report.terminal import print_tables

ARGUMENTS: dict[str, dict[str, object]] = {
    "sheet": {"help": "the .csv or .parquet that scripts/sample.py wrote, its label column filled in"},
    "--run": {"help": "digest of the run to score, or the beginning of it"},
    "--method": {"default": "hajek", "help": "hajek, horvitz_thompson, bootstrap; plain where uniform"},
}


def main(given: Namespace) -> int:
    """Shares of the classes, or a run's scores."""
    from crossover.measure.weighted_scores import class_shares, weighted_scores
    from crossover.record.store import Store
    from crossover.report.sample_sheet import estimates_table, judged, read_sheet

    corpus, drawn = read_sheet(given.sheet)
    if given.run is None:
        scores = class_shares([str(label) for label in corpus.labels], drawn, given.method)
    else:
        store = Store.existing(given.store)
        predictions = store.run(store.find(given.run)).predictions
        scores = weighted_scores(judged(predictions, corpus), drawn, given.method)
    print_tables([estimates_table(scores)])
    print(f"estimate: {next(iter(scores.values()))}", flush=True)
    return 0


if __name__ == "__main__":
    plain_command(main, __doc__, ARGUMENTS)

"""Runs of a store: list, filter, compare; failures and what runs them again; what a study needs.

python scripts/runs.py store=outputs study=crossover-0123 model=probe size=200 --csv runs.csv
"""

from argparse import Namespace

from crossover.report.plain_command import plain_command
from crossover.report.terminal import print_tables

ARGUMENTS: dict[str, dict[str, object]] = {
    "--model": {"help": "only runs of this model, as probe"},
    "--corpus": {"help": "only runs on this corpus: its name, or the beginning of its fingerprint"},
    "--size": {"help": "only runs on so many training rows; all is the whole train part"},
    "--metric": {"help": "the score shown; without it each run's metric of record"},
    "--study": {"help": "only runs of this study (the beginning of its name), and what it still needs"},
    "--failed": {"action": "store_true", "help": "failures alone"},
    "--families": {"action": "store_true", "help": "one row for all runs alike but for seeds and draw"},
    "--compare": {"nargs": 2, "metavar": "RUN", "help": "two runs side by side"},
    "--csv": {"help": "write the first table to this file, - for stdout"},
}


def main(given: Namespace) -> int:
    """Print the tables asked for, and write the first of them as csv."""
    from crossover.record.store import Store
    from crossover.report.runs_list import Filter
    from crossover.report.runs_listing import listing, pair, write_csv

    store, wanted = Store.existing(given.store), Filter(given.model, given.corpus, given.size, given.metric)
    asked = (given.study, given.failed, given.families)
    tables = pair(store, *given.compare) if given.compare else listing(store, wanted, *asked)
    if not (given.csv and write_csv(tables[0], given.csv)):
        print_tables(tables)
    return 0


if __name__ == "__main__":
    plain_command(main, __doc__, ARGUMENTS)

"""Reproduce: a stored run again, from its record alone; are the results the same?

python scripts/reproduce.py 0123456789abcdef store=outputs
Is it the same twice on this machine, in fresh processes? Add --audit. Other threads: --threads 1
"""

import argparse

from crossover.report.plain_command import plain_command
from crossover.report.terminal import print_reproduction, progress


def main(words: list[str]) -> int:
    """Exit code 0 identical or within tolerance, 1 different."""
    from crossover import rerun
    from crossover.record.reproduction import DIFFERENT
    from crossover.record.store import Store

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", help="digest of the run, or the beginning of it")
    parser.add_argument("--store", default="outputs", help="the results folder (also store=FOLDER)")
    parser.add_argument("--threads", type=int, help="instead of the record's")
    parser.add_argument("--audit", action="store_true", help="run it twice in fresh processes")
    given = parser.parse_args(words)
    store = Store.existing(given.store)
    digest = store.find(given.run)
    if not store.has_run(digest):
        kind, why = rerun.fails_again(store.failure(digest), store)
        print(f"{kind}: {why}")
    elif given.audit:
        kind = print_reproduction(rerun.audit(store.run(digest), store, given.threads), ("first", "second"))
    else:
        with progress() as bars:
            found = rerun.reproduce(store.run(digest), store, given.threads, bars.on_step)
        kind = print_reproduction(found, ("then", "now"))
    return int(kind == DIFFERENT)


if __name__ == "__main__":
    plain_command(main)

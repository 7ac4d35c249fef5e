"""Reproduce: a stored run again, from its record alone; are the results the same?

python scripts/reproduce.py 0123456789abcdef store=outputs
"""

from argparse import Namespace

from crossover.report.plain_command import plain_command
from crossover.report.terminal import print_reproduction, progress

ARGUMENTS: dict[str, dict[str, object]] = {
    "run": {"help": "digest of the run, or the beginning of it"},
    "--threads": {"type": int, "help": "number of threads, instead of the record's"},
    "--audit": {"action": "store_true", "help": "is it the same twice, in two fresh processes?"},
}


def main(given: Namespace) -> int:
    """Exit code 0 identical or within tolerance, 1 different."""
    from crossover import reproduce
    from crossover.record.reproduction import DIFFERENT
    from crossover.record.store import Store

    store = Store.existing(given.store)
    record = store.run(store.find(given.run))
    if given.audit:
        kind = print_reproduction(reproduce.audit(record, store, given.threads), ("first", "second"))
    else:
        with progress() as bars:
            found = reproduce.again(record, store, given.threads, bars.on_step)
        kind = print_reproduction(found, ("then", "now"))
    return int(kind == DIFFERENT)


if __name__ == "__main__":
    plain_command(main, __doc__, ARGUMENTS)

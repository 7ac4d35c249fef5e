"""Unseal: make the sealed part of a split the test part of a new one. Once; the reason stays noted.

python scripts/unseal.py of=SPLIT because="five looks are spent, one question is left"
"""

from argparse import Namespace

from crossover.report.plain_command import plain_command

ARGUMENTS: dict[str, dict[str, object]] = {
    "--of": {"required": True, "help": "fingerprint of the split that has a sealed part"},
    "--because": {"required": True, "help": "why it is opened"},
}


def main(given: Namespace) -> int:
    """Save the new split, note the opening, say where it is."""
    from crossover.record import ledger
    from crossover.record.store import Store
    from crossover.split.sealed import opened

    store = Store.existing(given.store)
    split = opened(store.split(given.of), given.because)
    store.save_split(split)
    ledger.note_opening(store.root, given.of, split.fingerprint, given.because)
    path = store.root / "splits" / split.fingerprint
    print(f"{len(split.test):,} fresh test rows; use them with split=stored split.path={path}")
    print(f"split: {path}", flush=True)
    return 0


if __name__ == "__main__":
    plain_command(main, __doc__, ARGUMENTS)

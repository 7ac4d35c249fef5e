"""One run: fit a model on a split, score it, keep the record.

python scripts/run.py model=naive_bayes 'subset={scheme: natural, size: 200, draw: 0}'
Sweep: python scripts/run.py -m model=naive_bayes,logistic_regression hydra/launcher=joblib
"""

from crossover.compose import DONE, SOME_FAILED, Composed, command
from crossover.report.terminal import print_failures, print_run, progress


def task(composed: Composed) -> int:
    """Run the spec the config describes, or find it finished."""
    from crossover.record import ledger

    mirror, spec, store, split = composed.mirror, composed.run_spec, composed.store, composed.split
    budget = composed.admit_look(who := f"run-{spec.digest}")
    with progress() as bars:
        outcome = next(iter(composed.launcher(bars.on_step).launch([spec], store)))
    if outcome.record is None:
        print_failures([outcome], store.root)
        return SOME_FAILED
    ledger.note_look(store.root, split.test_fingerprint, who, "one run")
    scores = outcome.record.scores_at(budget.level, split.groups) if budget else outcome.record.scores
    print_run({**outcome.record.to_json(), "scores": {name: s.to_json() for name, s in scores.items()}})
    print(f"run: {store.root / 'runs' / spec.digest}", flush=True)
    mirror.run(outcome.record, store.root / "wandb")
    mirror.finish()
    return DONE


if __name__ == "__main__":
    command(task)()

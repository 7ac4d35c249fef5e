"""One run: fit a model on a split, score it, keep the record.

python scripts/run.py data=sms_spam data.path=sms.parquet model=probe subset='{scheme: natural, size: 200, draw: 0}'
Sweep with -m: python scripts/run.py -m model=naive_bayes,logistic_regression hydra/launcher=joblib
"""

from crossover.compose import DONE, SOME_FAILED, Composed, command
from crossover.record import ledger
from crossover.report.terminal import print_run, progress


def task(composed: Composed) -> int:
    """Run the spec the config describes, or find it finished."""
    spec, store = composed.run_spec, composed.store
    with progress("run") as shown:
        launcher = composed.launcher_with(shown.on_step)
        outcome = next(iter(launcher.launch([spec], store)))
    if outcome.record is None:
        print_run(spec.digest, failed=outcome.error)
        return SOME_FAILED
    ledger.note_look(store.root, composed.split.test_fingerprint, f"run-{spec.digest}", "one run")
    composed.mirror.run(outcome.record)
    print_run(spec.digest, record=outcome.record.to_json())
    print(f"run: {store.root / 'runs' / spec.digest}", flush=True)
    return DONE


if __name__ == "__main__":
    command(task)()

"""A study: many runs, one verdict, one report. Finished runs are kept, a killed study resumes.

python scripts/study.py study=crossover data=table_file data.path=my.csv data.text=message data.label=kind
"""

import sys

from crossover.compose import DONE, SOME_FAILED, Composed, command
from crossover.report.terminal import print_failures, print_plan, print_verdict, progress


def task(composed: Composed) -> int:
    """Plan, run what is missing, conclude, write the report."""
    from crossover.launch.launcher import Outcome
    from crossover.report.study_report import publish
    from crossover.report.verdict_page import stored_verdict
    from crossover.study.expected import expected
    from crossover.study.study import run, study_name

    if composed.cfg.dry_run:
        print_plan(expected(composed.study, composed.store))
        return DONE
    mirror, study, store = composed.mirror, composed.registered_study(), composed.store
    with progress() as bars:

        def ended(outcome: Outcome) -> None:
            bars.run_done()
            if outcome.record:
                mirror.run(outcome.record, store.root / "wandb", [study_name(study)])

        result = run(study, composed.launcher(bars.on_step), store, bars.batch, ended, composed.invocation)
    report = publish(result, study, store, composed.invocation, mirror, composed.goal)
    print_failures(result.failures, store.root)
    print_verdict(stored_verdict(report.parent), report)
    return SOME_FAILED if result.failures else DONE


if __name__ == "__main__":
    sys.argv = ["dry_run=true" if word == "--dry-run" else word for word in sys.argv]
    command(task)()

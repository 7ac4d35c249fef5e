"""Tell again: a stored study's tables, and its page from its verdict.json. Single runs: scripts/runs.py

python scripts/report.py of=crossover-0123456789abcdef
"""

from crossover.compose import DONE, Composed, command


def task(composed: Composed) -> int:
    """Print the tables; for a study, write its page again."""
    from crossover.data.bad_input import BadInput
    from crossover.report.looked import with_looks
    from crossover.report.terminal import print_tables, print_verdict
    from crossover.report.verdict_page import stored_verdict, verdict_tables, write_report

    if composed.cfg.of is None:
        raise BadInput("of= names the study to tell again; runs are listed by python scripts/runs.py")
    folder = composed.store.study_folder(str(composed.cfg.of))
    verdict = with_looks(stored_verdict(folder), composed.store.root)
    print_tables(verdict_tables(verdict))
    print_verdict(verdict, write_report(verdict, folder))
    return DONE


if __name__ == "__main__":
    command(task)()

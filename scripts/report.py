"""Tell again: a stored study's page from its verdict.json, or every run of the store as a table.

python scripts/report.py of=crossover-0123456789abcdef
python scripts/report.py
"""

from crossover.compose import DONE, Composed, command


def task(composed: Composed) -> int:
    """Print the tables; for a study, write its page again."""
    from rich.console import Console

    from crossover.report.runs_table import runs_table
    from crossover.report.tables import to_rich
    from crossover.report.terminal import print_verdict
    from crossover.report.verdict_page import stored_verdict, verdict_tables, write_report

    store, console = composed.store, Console(width=160)
    if composed.cfg.of is None:
        console.print(to_rich(runs_table(record.to_json() for record in store.runs())))
        return DONE
    folder = store.root / "studies" / str(composed.cfg.of)
    verdict = stored_verdict(folder)
    for table in verdict_tables(verdict):
        console.print(to_rich(table))
    print_verdict(verdict, write_report(verdict, folder))
    return DONE


if __name__ == "__main__":
    command(task)()

"""Sample: draw rows to label or to audit, each with its inclusion probability, into a sheet.

python scripts/sample.py data=table_file data.path=pool.csv sample=uniform sample.size=300 to=to_label.csv
By a run's doubts, from its test rows: python scripts/sample.py of=RUN sample=importance to=to_audit.csv
"""

from typing import cast

from crossover.compose import DONE, Composed, command


def task(composed: Composed) -> int:
    """Find the population, draw, write the sheet and its design."""
    from crossover.report.sample_sheet import write_sheet
    from crossover.sample.sample import Design, of_corpus, of_run

    design, store, to = cast(Design, composed.made("sample")), composed.store, composed.to
    if composed.cfg.of is None:
        corpus = composed.corpus
        population = of_corpus(corpus)
    else:
        record = store.run(store.find(str(composed.cfg.of)))
        corpus = store.corpus(record.spec.corpus)
        population = of_run(corpus, record.predictions.part("test"))
    sample = design.draw(population)
    write_sheet(sample, corpus, to)
    print(f"{len(sample):,} of {len(population.ids):,} {population.what}; then scripts/estimate.py")
    print(f"sample: {to}", flush=True)
    return DONE


if __name__ == "__main__":
    command(task)()

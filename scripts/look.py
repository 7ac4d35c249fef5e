"""Look at the data at any stage: one page to be read offline, and its findings here. See docs/look.md

python scripts/look.py data=table_file data.path=my.csv data.text=message data.label=kind look.stage=raw
After the split: look.stage=split. After a model: python scripts/look.py look.run=DIGEST look.against=DIGEST
Signed: 'look.by="Ann, fraud analyst"' 'look.found="..."' 'look.decided="..."'
"""

from collections.abc import Mapping
from typing import cast

from crossover.compose import DONE, Composed, command
from crossover.protocol.configured import made_of
from crossover.report.terminal import print_card, print_look, progress


def task(composed: Composed) -> int:
    """Make the page, note the look, print what a reader of the data would want to be told."""
    from crossover.report.look_report import Look, look_at

    plain, store = cast(Mapping[str, object], composed.plain("look")), composed.store
    asked = made_of(Look, {**plain, "goal": composed.goal}, "look")
    records = [store.run(store.find(run)) for run in asked.runs]
    split = None
    if records:
        corpus, split = store.corpus(records[0].spec.corpus), store.split(records[0].spec.split)
    else:
        corpus = composed.corpus
        split = composed.split if asked.stage == "split" else None
    with progress() as bars:
        told = composed.invocation, composed.mirror, bars.on_step
        report = look_at(asked, corpus, split, records, store, *told)
    print_card(corpus.name, len(corpus), corpus.card.to_json())
    print_look(report.found, report.tables, report.examples)
    print(f"corpus: {store.root / 'corpora' / corpus.fingerprint}\nlook: {report.page}", flush=True)
    composed.mirror.finish()
    return DONE


if __name__ == "__main__":
    command(task)()

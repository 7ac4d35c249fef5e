"""Every text the artefact study asks of its subject, as CSV: for a system elsewhere to predict.

python scripts/export.py study=artifacts data=sms_spam data.path=sms.parquet to=texts.csv
"""

from crossover.compose import DONE, Composed, command


def task(composed: Composed) -> int:
    """Write the texts; the study's own model need not exist elsewhere."""
    from crossover.data.bad_input import BadInput
    from crossover.data.whole_file import write_whole
    from crossover.study.artifacts import ArtifactsStudy

    study = composed.study
    if not isinstance(study, ArtifactsStudy):
        raise BadInput(f"study={study.name} asks for no texts beyond the corpus; give study=artifacts")
    composed.to.parent.mkdir(parents=True, exist_ok=True)
    write_whole(composed.to, study.texts_csv(), "name another file with to=...")
    print(f"texts: {composed.to}", flush=True)
    return DONE


if __name__ == "__main__":
    command(task)()

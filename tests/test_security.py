"""What SECURITY.md promises of things made by others: nothing is unpickled, no name leads out of the store.

Where the other promises are kept: `test_shape` (imports of pickle, remote code, `eval`); `test_component`
(the allow-list); `test_encoder` (models with code, pickled weights, hashes); `test_embedding_cache` (a cache
that all may write); `test_report_hostile_text`; `test_table_rows` (what unpacks to too much);
`test_mirrors_that_fail` (the key of W&B).
"""

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from commands_given import Command, command, home, mail
from toy import bayes, toy_store

from crossover import experiment
from crossover.data.bad_input import BadInput
from crossover.protocol.run_spec import RunSpec
from crossover.record.store import Store
from crossover.split.nested_subsets import Subset

__all__ = ["command", "home", "mail"]
ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "scripts").glob("*.py")])
LOADERS = {
    "load": {"torch", "np", "numpy", "yaml", "joblib", "pickle"},
    "full_load": {"yaml"},
    "unsafe_load": {"yaml"},
    "system": {"os"},
    "popen": {"os"},
    "extractall": None,
    "read_pickle": None,
    "unpack_archive": None,
}
"""Calls that run or unpack what is in a file, by their name; the names they are called on, None for any."""


def called(node: ast.AST) -> tuple[str, str]:
    """The name that an attribute is called by, and on."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return "", ""
    return node.func.attr, node.func.value.id if isinstance(node.func.value, ast.Name) else "?"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_is_unpickled_unpacked_or_given_to_a_shell(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        name, owner = called(node)
        if name in LOADERS:
            owners = LOADERS[name]
            assert owners is not None and owner not in owners, f"{owner}.{name}() in line {node.lineno}"
        if isinstance(node, ast.keyword) and node.arg == "shell":
            assert getattr(node.value, "value", None) is False, f"shell= in line {node.value.lineno}"


UPPER = "0123456789ABCDEF"
OUTSIDE = ["../outside", "..", ".", "", "/etc", "0123456789abcdef/../../outside", UPPER, "ab\0cd", "~"]


@pytest.mark.parametrize("name", OUTSIDE, ids=repr)
def test_no_name_leads_out_of_the_store(name: str, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    outside = tmp_path / "outside"
    outside.mkdir()
    for file in ("corpus.json", "split.json", "record.json", "failure.json", "verdict.json"):
        (outside / file).write_text("{}")
    for read in (store.corpus, store.split, store.run, store.failure):
        with pytest.raises(BadInput, match="is no name of a"):
            read(name)
    with pytest.raises(BadInput, match="holds no finished run"):
        store.find(name)
    if name != UPPER:
        with pytest.raises(BadInput, match="is no name of a study"):
            store.study_folder(name)


def test_a_received_record_cannot_name_a_corpus_elsewhere(tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path / "store", 100)
    spec = RunSpec(corpus.fingerprint, split.fingerprint, bayes(), Subset("natural", 20, 0))
    for hostile in (replace(spec, corpus="../../elsewhere"), replace(spec, split="../../elsewhere")):
        with pytest.raises(BadInput, match=r"'\.\./\.\./elsewhere' is no name of a"):
            experiment.run(hostile, store)


def test_a_received_failure_with_an_interpolation_is_refused(tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path / "store", 100)
    spec = RunSpec(corpus.fingerprint, split.fingerprint, bayes(), Subset("natural", 20, 0))
    model = {"target": bayes().target, "settings": {"alpha": "${oc.env:HOME}"}}
    store.save_failure(spec.digest, {"spec": {**spec.to_json(), "model": model}, "error": "KeyError"})
    with pytest.raises(BadInput, match="holds an interpolation"):
        store.failed_runs()


def test_commands_refuse_a_name_outside_the_store_and_write_nothing_there(
    command: Command, home: Path
) -> None:
    Store(home / "named")
    (home / "verdict.json").write_text("{}")
    before = sorted(home.iterdir())
    for script, told in (("report", "is no name of a study"), ("rerun", "is no name of a failure")):
        ended = command(script, "store=named", "of=../..")
        assert ended.returncode == 2 and told in ended.stderr and "Traceback" not in ended.stderr
    assert sorted(home.iterdir()) == before, "no report, figures or tables beside the store"

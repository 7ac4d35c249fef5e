"""HubDataset: a local folder served as a data set, pinned or refused, offline or told how."""

import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossover.data.bad_input import BadInput
from crossover.data.hub_dataset import HubDataset
from crossover.data.table_file import TableFile


@pytest.fixture
def served(tmp_path):
    """A folder as the hub serves one: two splits in parquet, labels as class codes."""
    import datasets

    folder = tmp_path / "served"
    features = datasets.Features(
        {
            "sms": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["ham", "spam"]),
            "n": datasets.Value("int64"),
        }
    )
    for split, rows in (("train", [("NA", 0, 1), ("win\n", 1, 2)]), ("test", [("a\u2028b", 1, 3)])):
        columns = {name: [row[k] for row in rows] for k, name in enumerate(("sms", "label", "n"))}
        (folder / "data").mkdir(parents=True, exist_ok=True)
        datasets.Dataset.from_dict(columns, features=features).to_parquet(
            folder / "data" / f"{split}-00000.parquet"
        )
    return folder


def hub(served, tmp_path, **settings):
    given = {"name": "sms", "rename": {"sms": "text"}, "cache_dir": str(tmp_path / "cache"), **settings}
    return HubDataset(str(served), **given)


def test_a_served_split_is_read_with_class_names(served, tmp_path):
    corpus = hub(served, tmp_path, expect={"rows": 2, "labels": {"ham": 1, "spam": 1}}).load()
    assert corpus.texts == ["NA", "win\n"]
    assert corpus.labels == ["ham", "spam"]
    assert corpus.meta == {}


def test_several_splits_say_their_part(served, tmp_path):
    corpus = hub(served, tmp_path, split={"train": "train", "test": "test"}, meta={"n": "number"}).load()
    assert corpus.meta == {"n": "number", "part": "category"}
    assert corpus.meta_values("part") == ["train", "train", "test"]
    assert corpus.texts[2] == "a\u2028b"
    listed = hub(served, tmp_path, split=["train", "test"], meta={"n": "number"}).load()
    assert listed.fingerprint == corpus.fingerprint


def test_the_hub_and_the_same_rows_in_local_files_give_one_corpus(served, tmp_path):
    local = {}
    for part, rows in (
        ("train", {"text": ["NA", "win\n"], "label": ["ham", "spam"]}),
        ("test", {"text": ["a\u2028b"], "label": ["spam"]}),
    ):
        local[part] = str(tmp_path / f"{part}.parquet")
        pq.write_table(pa.table(rows), local[part])
    parts = {"train": "train", "test": "test"}
    from_hub = hub(served, tmp_path, split=parts).load()
    from_files = HubDataset("nobody/nothing", "sms", split=parts, path=local, rename={"sms": "text"}).load()
    assert from_files.fingerprint == from_hub.fingerprint
    assert TableFile(local).load().fingerprint == from_hub.fingerprint


def test_parquet_fetched_by_hand_keeps_its_class_names_too(served):
    file = str(served / "data" / "train-00000.parquet")
    assert HubDataset("x/y", "sms", path=file, rename={"sms": "text"}).load().labels == ["ham", "spam"]


def test_meta_the_hub_lacks_is_left_out_there_and_kept_locally(served, tmp_path):
    settings = {"meta": {"n": "number", "mailbox": "category"}, "hub_lacks": ["mailbox"]}
    assert hub(served, tmp_path, **settings).load().meta == {"n": "number"}
    with pytest.raises(BadInput, match="no column 'mailbox'"):
        hub(served, tmp_path, path=str(served / "data" / "train-00000.parquet"), **settings).load()


def test_facts_of_the_local_files_are_not_asked_of_the_hub(served, tmp_path):
    facts = {"of": "path", "rows": 99}
    assert len(hub(served, tmp_path, expect=facts).load()) == 2
    with pytest.raises(BadInput, match="rows: found 2, expected 99"):
        hub(served, tmp_path, expect={"rows": 99}).load()
    with pytest.raises(BadInput, match="rows: found 2, expected 99"):
        hub(served, tmp_path, expect=facts, path=str(served / "data" / "train-00000.parquet")).load()


@pytest.mark.parametrize("revision", [None, "main", "v1.0", "abc123"])
def test_an_unpinned_hub_data_set_is_refused_before_the_network(revision):
    with pytest.raises(
        BadInput, match=r"owner/name is .*data\.revision=<40 hex>.*dataset_info\('owner/name'\)"
    ):
        HubDataset("owner/name", "x", revision=revision).load()


def test_a_split_that_is_not_there_is_named(served, tmp_path):
    with pytest.raises(BadInput, match=r"split 'dev' of .* cannot be read"):
        hub(served, tmp_path, split="dev").load()
    with pytest.raises(BadInput, match="no split is named"):
        hub(served, tmp_path, split=[]).load()


def test_offline_and_absent_names_repository_revision_and_command(tmp_path):
    code = (
        "from crossover.data.hub_dataset import HubDataset\n"
        f"HubDataset('owner/name', 'x', revision='{'a' * 40}', cache_dir={str(tmp_path)!r}).load()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert "BadInput" in last
    assert f"hf download --repo-type dataset owner/name --revision {'a' * 40}" in last


def test_reading_data_leaves_torch_and_transformers_unloaded(served, tmp_path):
    code = (
        "import sys, pkgutil, importlib, crossover.data as d\n"
        "for m in pkgutil.iter_modules(d.__path__): importlib.import_module('crossover.data.' + m.name)\n"
        "assert 'datasets' not in sys.modules, 'datasets is imported before it is needed'\n"
        "from crossover.data.hub_dataset import HubDataset\n"
        f"HubDataset({str(served)!r}, 'x', text='sms', cache_dir={str(tmp_path / 'c')!r}).load()\n"
        "print([m for m in ('torch', 'transformers', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr
    assert done.stderr == ""

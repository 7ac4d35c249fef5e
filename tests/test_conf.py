"""Every yaml is usable: its group is a folder, its target lies there, its arguments bind."""

from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from crossover.protocol.component import component, resolve

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
ALIASES = {
    "metric": "measure/metric",
    "encoder": "model/encoder",
    "feature": "model/features",
    "flaw": "data/flaw",
}
YAMLS = sorted(path for path in CONF.rglob("*.yaml") if path.parent != CONF)


def name(path: Path) -> str:
    return path.relative_to(CONF).as_posix()


def composed(*overrides: str) -> dict[str, object]:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config", overrides=list(overrides))
    return OmegaConf.to_container(OmegaConf.masked_copy(cfg, [k for k in cfg if k != "hydra"]), resolve=False)


@pytest.mark.parametrize("path", YAMLS, ids=name)
def test_a_group_is_a_folder_and_its_target_lies_there(path: Path) -> None:
    group = path.parent.relative_to(CONF).as_posix()
    folder = ALIASES.get(group, group)
    assert (ROOT / "src" / "crossover" / folder).is_dir()
    target = yaml.safe_load(path.read_text(encoding="utf-8"))["_target_"]
    assert target.startswith("crossover." + folder.replace("/", ".") + ".")
    resolve(target)


@pytest.mark.parametrize("path", YAMLS, ids=name)
def test_a_yaml_says_what_it_is_and_the_command(path: Path) -> None:
    header = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        header.append(line)
    assert len(header) >= 2, "a header comment: what it is, the command, the expected score"
    assert any("scripts/" in line or "=" in line for line in header)


@pytest.mark.parametrize("path", YAMLS, ids=name)
def test_arguments_bind_to_the_signature(path: Path) -> None:
    group, choice = path.parent.name, path.stem
    if group == "study":
        settings = composed(f"study={choice}")["study"]
        cls = resolve(settings.pop("_target_"))
        assert settings.pop("arms"), "a study's yaml names its arms in its defaults list"
        assert set(settings) <= set(cls.__dataclass_fields__)
        return
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings.pop("defaults", None)
    if settings.get("encoder") == "${encoder}":
        settings["encoder"] = yaml.safe_load((CONF / "encoder" / "minilm.yaml").read_text(encoding="utf-8"))
    bound = {k: ("given" if v == "???" else v) for k, v in settings.items() if k != "_target_"}
    component(settings["_target_"], bound)


def test_the_root_lists_every_group_once_and_composes() -> None:
    root = yaml.safe_load((CONF / "config.yaml").read_text(encoding="utf-8"))
    listed = {next(iter(entry)).split("@")[0] for entry in root["defaults"] if isinstance(entry, dict)} - {
        "override hydra/job_logging"
    }
    groups = {path.parent.relative_to(CONF).as_posix() for path in YAMLS}
    assert listed | {"feature", "flaw"} == groups, (
        "features are chosen inside a model's yaml, flaws inside a data source's, other groups in the root"
    )
    assert composed()["data"]["_target_"]


def test_the_sweep_in_the_docs_composes_as_wandb_would_call_it() -> None:
    text = (ROOT / "docs" / "wandb.md").read_text(encoding="utf-8")
    sweep = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    assert (ROOT / sweep["program"]).is_file()
    first = {
        name: given.get("values", [given.get("value")])[0] for name, given in sweep["parameters"].items()
    }
    words = [word for word in sweep["command"] if not word.startswith("$")]
    found = composed(*words, *(f"{name}={value}" for name, value in first.items()))
    assert found["model"]["C"] == 0.1 and found["data"]["label"] == "kind"


@pytest.mark.parametrize("choice", sorted(p.stem for p in (CONF / "study").glob("*.yaml")))
def test_another_arm_can_be_added_from_the_command_line(choice: str) -> None:
    arms = composed(f"study={choice}", "+model@study.arms.svm=linear_svm")["study"]["arms"]
    assert arms["svm"]["_target_"].endswith("LinearSvm")

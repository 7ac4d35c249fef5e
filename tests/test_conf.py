"""Every yaml is usable: its group is a folder, its target lies there, its arguments bind."""

import itertools
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from crossover.protocol.component import component, resolve
from crossover.protocol.run_spec import RunSpec, Seeds
from crossover.split.nested_subsets import Subset

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


def test_each_command_line_of_the_sweep_composes_to_a_run_of_its_own() -> None:
    """Made as W&B's agent makes them, by its own code."""
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

    sweep = yaml.safe_load((ROOT / "docs" / "wandb_sweep.yaml").read_text(encoding="utf-8"))
    assert (ROOT / sweep["program"]).is_file() and sweep["method"] == "grid"
    values = {name: given.get("values", [given.get("value")]) for name, given in sweep["parameters"].items()}
    seen = []
    for chosen in itertools.product(*values.values()):
        args = {name: {"value": value} for name, value in zip(values, chosen, strict=True)}
        filled = create_sweep_command_args({"args": args})
        words = create_sweep_command(list(sweep["command"]))
        assert words[:3] == ["${env}", "${interpreter}", "${program}"] and words[-1] == "${args_no_hyphens}"
        found = composed(*words[3:-1], *filled["args_no_hyphens"])
        assert found["data"]["label"] == "kind" and found["wandb"]["mode"] == "online"
        assert found["subset"] == {"scheme": "natural", "size": 200, "draw": 0}
        model = dict(found["model"])
        part = component(model.pop("_target_"), {"C": model["C"]})
        spec = RunSpec("0" * 16, "1" * 16, part, Subset(**found["subset"]), seeds=Seeds(**found["seeds"]))
        seen.append((spec.digest, spec.family, model["C"]))
    assert len({digest for digest, _, _ in seen}) == len(seen) == 9
    assert len({family for _, family, _ in seen}) == len({c for _, _, c in seen}) == 3, "seeds share a group"


@pytest.mark.parametrize("choice", sorted(p.stem for p in (CONF / "study").glob("*.yaml")))
def test_another_arm_can_be_added_from_the_command_line(choice: str) -> None:
    arms = composed(f"study={choice}", "+model@study.arms.svm=linear_svm")["study"]["arms"]
    assert arms["svm"]["_target_"].endswith("LinearSvm")

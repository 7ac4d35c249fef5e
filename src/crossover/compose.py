"""The edge: Hydra's composed yaml becomes checked objects; from there on everything is plain data.

Hydra and omegaconf are imported only here and in scripts/.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus, Source
from crossover.launch.launcher import Launcher
from crossover.protocol.component import Component, build, component, resolve
from crossover.protocol.run_spec import RunSpec, Seeds
from crossover.record.store import Store
from crossover.record.wandb_mirror import WandbMirror
from crossover.split.nested_subsets import Subset
from crossover.split.split import Split, Splitter
from crossover.study.study import Study

CONF = Path(__file__).resolve().parents[2] / "conf"
DONE, SOME_FAILED, BAD_INPUT = 0, 1, 2
_started = False


def command(task: Callable[[Composed], int]) -> Callable[[], None]:
    """Make a script of a task: compose the root config, run, exit with 0, 1 (runs failed) or 2.

    Bad input is one clear message on stderr and exit code 2, without a traceback. In a multirun
    it fails that job alone, as Hydra's users expect.
    """

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
    def main(cfg: DictConfig) -> None:
        global _started
        _started = True
        try:
            code = task(Composed(cfg))
        except (BadInput, OmegaConfBaseException, OSError) as error:
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                raise
            sys.stderr.write(f"error: {error}\n")
            code = BAD_INPUT
        if code and HydraConfig.get().mode != RunMode.MULTIRUN:
            sys.exit(code)

    def script() -> None:
        try:
            main()
        except SystemExit as end:
            # Hydra leaves with 1 where the overrides do not compose: that is bad input too.
            sys.exit(BAD_INPUT if end.code == 1 and not _started else end.code)

    return script


@dataclass
class Composed:
    """One composed config and the objects it names, each made when first asked for."""

    cfg: DictConfig

    def plain(self, key: str) -> object:
        """One key of the config as plain values, interpolations resolved.

        Raises:
            BadInput: a value that must be given (``???``) is missing.
        """
        node = OmegaConf.select(self.cfg, key)
        if not OmegaConf.is_config(node):
            return node
        missing = sorted(f"{key}.{name}" for name in OmegaConf.missing_keys(node))
        if missing:
            raise BadInput(
                f"{missing[0]} must be given, on the command line or in the yaml: {missing[0]}=..."
            )
        return OmegaConf.to_container(node, resolve=True, throw_on_missing=True)

    def made(self, key: str, **extra: object) -> object:
        """The object a config group's ``_target_`` names, its settings checked first."""
        return build(part(self.plain(key), key), **extra)

    @cached_property
    def store(self) -> Store:
        """The results folder."""
        return Store(Path(str(self.cfg.store)))

    @cached_property
    def corpus(self) -> Corpus:
        """The corpus, loaded, checked and kept in the store."""
        corpus = cast(Source, self.made("data")).load()
        self.store.save_corpus(corpus)
        return corpus

    @cached_property
    def split(self) -> Split:
        """The split, made and kept in the store."""
        split = cast(Splitter, self.made("split")).split(self.corpus)
        self.store.save_split(split)
        return split

    @property
    def metric(self) -> str:
        """Name of the metric of record."""
        return part(self.plain("metric"), "metric").name

    @property
    def run_spec(self) -> RunSpec:
        """The single run that ``model``, ``subset`` and ``seeds`` describe."""
        subset, seeds = self.plain("subset"), cast(Mapping[str, int], self.plain("seeds"))
        return RunSpec(
            corpus=self.corpus.fingerprint,
            split=self.split.fingerprint,
            model=part(self.plain("model"), "model"),
            subset=Subset(**cast(dict[str, int], subset)) if subset else None,  # type: ignore[arg-type]
            metric=self.metric,
            budget=int(self.cfg.budget),
            selection=str(self.cfg.selection),
            seeds=Seeds(**seeds),
            test_rows=cast(int | None, self.cfg.test_rows),
        )

    @cached_property
    def study(self) -> Study:
        """The study, its arms checked; nothing has been run."""
        plain = dict(cast(Mapping[str, object], self.plain("study")))
        arms = cast(Mapping[str, object], plain.pop("arms"))
        cls = resolve(str(plain.pop("_target_")))
        known = cls.__dataclass_fields__  # type: ignore[attr-defined]
        unknown = sorted(set(plain) - set(known))
        if unknown:
            raise BadInput(f"study has no setting {unknown[0]!r}; it takes {sorted(set(known) - {'name'})}")
        models = {name: part(model, f"study.arms.{name}") for name, model in arms.items() if model}
        inherited = {
            "metric": self.metric,
            "selection": str(self.cfg.selection),
            "test_rows": self.cfg.test_rows,
        }
        given = {**inherited, **plain, "corpus": self.corpus, "split": self.split, "arms": models}
        return cast(Study, cls(**given))

    def launcher(self, on_step: Callable[[int, int, str], None] | None = None) -> Launcher:
        """Where runs are executed; ``on_step`` is told how far a model's fitting is."""
        return cast(Launcher, self.made("launch", on_step=on_step))

    @cached_property
    def invocation(self) -> str:
        """The command that was given, to be shown where its results are."""
        return shlex.join(["python", f"scripts/{Path(sys.argv[0]).name}", *HydraConfig.get().overrides.task])

    @cached_property
    def mirror(self) -> WandbMirror:
        """The W&B mirror, as ``wandb.mode`` asks."""
        return WandbMirror(**cast(dict[str, str], self.plain("wandb")))


def part(plain: object, where: str) -> Component:
    """A config group's values as a Component: files it names are pinned by SHA-256 first.

    Raises:
        BadInput: no ``_target_``, or one outside the allowed packages; an unknown setting.
    """
    if not isinstance(plain, Mapping) or "_target_" not in plain:
        raise BadInput(f"{where} has no _target_; choose one of its group with {where}=NAME")
    pinned = cast(Mapping[str, object], _pin(plain))
    return component(str(pinned["_target_"]), {k: v for k, v in pinned.items() if k != "_target_"})


def _pin(value: object) -> object:
    """Fill in the SHA-256 of files that a setting names, for classes that offer ``pin``."""
    if isinstance(value, list):
        return [_pin(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    settings = {str(key): _pin(item) for key, item in value.items()}
    if "_target_" not in settings:
        return settings
    pin = getattr(resolve(str(settings["_target_"])), "pin", None)
    if pin is None:
        return settings
    target = settings.pop("_target_")
    return {"_target_": target, **pin(settings)}

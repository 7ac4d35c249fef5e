"""The edge: Hydra's composed yaml becomes checked objects; from there on everything is plain data.

Hydra and omegaconf are imported only here and in scripts/. What only a run needs (tables, statistics,
stores) is imported where it is made, so that ``--help`` and a misspelt override are answered at once.
"""

from __future__ import annotations

import inspect
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from crossover.data.bad_input import BadInput
from crossover.data.whole_file import FULL, reserve
from crossover.launch.interruption import INTERRUPTED, TERMINATED, LaunchStopped, stoppable
from crossover.protocol.component import build, component, resolve
from crossover.protocol.configured import made_of, part, whole
from crossover.protocol.hypothesis import Hypothesis
from crossover.report.terminal import working
from crossover.report.visible_text import visible

if TYPE_CHECKING:
    from crossover.data.corpus import Corpus, Source
    from crossover.launch.launcher import Launcher
    from crossover.protocol.run_spec import RunSpec
    from crossover.record.look_budget import LookBudget
    from crossover.record.store import Store
    from crossover.record.wandb_mirror import WandbMirror
    from crossover.split.split import Split, Splitter
    from crossover.study.study import Study

CONF = Path(__file__).resolve().parents[2] / "conf"
DONE, SOME_FAILED, BAD_INPUT = 0, 1, 2
LEAST_ROOM = 2**20
"""Bytes that must be free where the results go before anything is begun."""
ENDED = "ended.json"
"""File in the folder of each job of a multirun: its exit code and overrides."""
_started = False
_sweep: Path | None = None


def command(task: Callable[[Composed], int]) -> Callable[[], None]:
    """Make a script of a task: compose the root config, run, exit with 0, 1 (runs failed) or 2.

    Bad input is one clear message on stderr and exit code 2, without a traceback. In a multirun
    it fails that job alone: the others go on, the failed ones are named at the end, and the exit
    code is 1, or 2 where every job had bad input.
    """

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
    def main(cfg: DictConfig) -> None:
        global _started
        _started = True
        about = HydraConfig.get()
        try:
            code = task(Composed(cfg))
        except BrokenPipeError:
            sys.stdout = None  # type: ignore[assignment]  # whoever read our output has left: nothing to say
            code = DONE
        except (BadInput, OmegaConfBaseException, OSError) as error:
            _tell(str(error))
            code = BAD_INPUT
        except LaunchStopped as error:
            _tell(str(error))
            code = SOME_FAILED
        if about.mode == RunMode.MULTIRUN:
            ended = {"code": code, "overrides": list(about.overrides.task)}
            (Path(about.runtime.output_dir) / ENDED).write_text(json.dumps(ended), encoding="utf-8")
        elif code:
            sys.exit(code)

    def script() -> None:
        try:
            with stoppable():
                main()
        except SystemExit as end:
            if end.code == TERMINATED:
                sys.stderr.write("stopped: finished runs are kept, the same command goes on from here\n")
            # Hydra leaves with 1 where the overrides do not compose: that is bad input too.
            began = _started or (_sweep is not None and any(_sweep.glob("*/")))
            sys.exit(BAD_INPUT if end.code == 1 and not began else end.code)
        except KeyboardInterrupt:
            sys.stderr.write("interrupted: finished runs are kept, the same command goes on from here\n")
            sys.exit(INTERRUPTED)

    return script


class Watch(Callback):
    """Hydra's hook (conf/config.yaml): the store is checked before Hydra writes into it, and a
    multirun ends with the names of its failed jobs and the exit code that says so."""

    def on_run_start(self, config: DictConfig, **_: object) -> None:
        """Before the single job."""
        _check_store(config)

    def on_multirun_start(self, config: DictConfig, **_: object) -> None:
        """Before the first job."""
        global _sweep
        _check_store(config)
        _sweep = Path(str(config.hydra.sweep.dir))

    def on_multirun_end(self, config: DictConfig, **_: object) -> None:
        """After the last job."""
        files = sorted(Path(str(config.hydra.sweep.dir)).rglob(ENDED))
        ended = [json.loads(file.read_text(encoding="utf-8")) for file in files]
        failed = [job for job in ended if job["code"]]
        for job in failed:
            _tell(f"failed: {shlex.join(job['overrides'])}", "")
        if failed:
            _tell(f"{len(failed)} of {len(ended)} jobs failed", "")
            sys.exit(BAD_INPUT if all(job["code"] == BAD_INPUT for job in ended) else SOME_FAILED)


def _check_store(config: DictConfig) -> None:
    # Hydra makes its job folder below the store before the task begins. An exception here would
    # be turned into a warning, so the program ends at once.
    if not config.store:
        _tell(f"store={config.store!r}: expected a folder for the results, such as store=outputs")
        sys.exit(BAD_INPUT)
    folder = Path(str(config.store)) / "hydra"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as room:
            reserve(room.fileno(), LEAST_ROOM)
    except OSError as error:
        full = "free space, or " if error.errno in FULL else ""
        _tell(
            f"store={config.store}: {error.strerror or error} (user {os.getuid()}); "
            f"{full}name a folder you can write: store=..."
        )
        sys.exit(BAD_INPUT)


def _tell(message: str, prefix: str = "error: ") -> None:
    """A message on stderr; what it quotes of the data can do nothing to the terminal."""
    sys.stderr.write(f"{prefix}{visible(message, 4000)}\n")


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
        missing = sorted(OmegaConf.missing_keys(node))
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
        from crossover.record.store import Store

        return Store(Path(str(self.cfg.store)))

    @cached_property
    def source(self) -> Source:
        """The data source, its settings checked; nothing has been read."""
        return cast("Source", self.made("data"))

    @property
    def to(self) -> Path:
        """The folder a corpus, or the file a sample or texts are written to.

        Raises:
            BadInput: none is named.
        """
        if not self.cfg.to:
            raise BadInput(
                "to= names where to write: the corpus' folder (to=mail), or the file of a sample or of "
                "texts (to=texts.csv)"
            )
        return Path(str(self.cfg.to))

    @cached_property
    def corpus(self) -> Corpus:
        """The corpus, loaded, checked and kept in the store, which is seen to be writable first."""
        store = self.store
        with working("reading the data"):
            corpus = self.source.load()
            store.save_corpus(corpus)
        return corpus

    @cached_property
    def split(self) -> Split:
        """The split, made and kept in the store.

        Raises:
            BadInput: it cannot be cut as asked, or its test rows were drawn with unequal probabilities.
        """
        corpus, splitter = self.corpus, cast("Splitter", self.made("split"))
        with working("splitting, near-duplicates kept together"):
            split = splitter.split(corpus)
            split.verify(corpus)
            self.store.save_split(split)
        return split

    @property
    def metric(self) -> str:
        """Name of the metric of record."""
        return part(self.plain("metric"), "metric").name

    @property
    def goal(self) -> str | None:
        """What the score shall predict, as stated.

        Raises:
            BadInput: no such goal.
        """
        from crossover.split.goal import goal_named

        stated = goal_named(self.cfg.goal)
        return None if stated is None else stated.name

    @property
    def selection(self) -> str:
        """Name of the rule that picks among tuning trials."""
        from crossover.protocol.selection.rule import rule_named

        rule_named(str(self.cfg.selection))
        return str(self.cfg.selection)

    @property
    def run_spec(self) -> RunSpec:
        """The single run that ``model``, ``subset`` and ``seeds`` describe, checked before data is read.

        Raises:
            BadInput: a value of a wrong type or name, or a subset that train cannot give.
        """
        from crossover.protocol.run_spec import RunSpec, Seeds
        from crossover.split.nested_subsets import Subset, subset_ids

        drawn = self.plain("subset")
        subset = None if drawn is None else made_of(Subset, drawn, "subset")
        given = {
            "model": part(self.plain("model"), "model"),
            "subset": subset,
            "metric": self.metric,
            "budget": whole(self.cfg.budget, "budget"),
            "selection": self.selection,
            "seeds": made_of(Seeds, self.plain("seeds"), "seeds"),
            "test_rows": None if self.cfg.test_rows is None else whole(self.cfg.test_rows, "test_rows"),
        }
        spec = RunSpec(self.corpus.fingerprint, self.split.fingerprint, **given)  # type: ignore[arg-type]
        if subset is not None:
            subset_ids(self.corpus, self.split, subset)
        return spec

    @cached_property
    def study(self) -> Study:
        """The study, its settings and arms checked; nothing has been run.

        An arm set to null is left out, and its limit with it.
        """
        from crossover.protocol.selection.rule import rule_named
        from crossover.study.crossover import Limit

        plain = dict(cast(Mapping[str, object], self.plain("study")))
        target, arms = (
            str(plain.pop("_target_", "")),
            cast(Mapping[str, object], plain.pop("arms", None) or {}),
        )
        models = {name: part(model, f"study.arms.{name}") for name, model in arms.items() if model}
        names = {"metric": self.metric, "selection": self.selection, "goal": self.goal}
        inherited = {**names, "test_rows": self.cfg.test_rows}
        unmade = {"corpus": None, "split": None, "arms": None, "resplit": None}
        takes = inspect.signature(resolve(target)).parameters
        known = {name: value for name, value in {**inherited, **unmade}.items() if name in takes}
        given = dict(component(target, {**known, **plain}).settings)
        rule_named(str(given.get("selection", self.selection)))
        if "limits" in plain:
            limits = cast(Mapping[str, object], plain["limits"] or {})
            given["limits"] = {
                arm: made_of(Limit, limit, f"study.limits.{arm}")
                for arm, limit in limits.items()
                if limit is not None and (arm in models or arm not in arms)
            }
        given |= {"corpus": self.corpus, "split": self.split, "arms": models}
        if "looks" in takes:
            given["looks"] = self._declared_looks(given)
        if "resplit" in takes:
            given["resplit"] = self.resplit
        return cast("Study", resolve(target)(**given))

    def resplit(self, seed: int) -> Split:
        """The config's split under another seed, not kept yet.

        Raises:
            BadInput: this kind of split has no seed.
        """
        recipe = part(self.plain("split"), "split")
        if "seed" not in inspect.signature(resolve(recipe.target)).parameters:
            raise BadInput(f"split={recipe.name} has no seed: the corpus cannot be split anew")
        return cast("Splitter", build(recipe.with_settings(seed=seed))).split(self.corpus)

    @property
    def hypothesis(self) -> Hypothesis | None:
        """The pre-registered hypothesis, where one is stated."""
        stated = self.plain("hypothesis")
        return None if stated is None else made_of(Hypothesis, stated, "hypothesis")

    def registered_study(self) -> Study:
        """The study, its hypothesis written down: from here on it may be run.

        Raises:
            BadInput: another hypothesis was registered for it, or one that names no arm; the budget
                of looks at the test part is spent.
        """
        from crossover.study.registered import register
        from crossover.study.study import study_name

        register(self.hypothesis, self.study, self.store)
        if getattr(self.study, "reads_test", True):
            self.admit_look(study_name(self.study))
        return self.study

    @property
    def test_budget(self) -> LookBudget | None:
        """The budget of looks at the test part that the config states."""
        from crossover.record.look_budget import LookBudget

        stated = self.plain("test_budget")
        return None if stated is None else made_of(LookBudget, stated, "test_budget")

    def admit_look(self, who: str) -> LookBudget | None:
        """Declare the stated budget of looks, before anything is run; returns the one in force.

        Raises:
            BadInput: another was declared before, or it is spent and refuses further looks.
        """
        from crossover.record.look_budget import admit

        return admit(self.store.root, self.split.test_fingerprint, self.test_budget, who)

    def _declared_looks(self, given: Mapping[str, object]) -> int:
        from crossover.record.look_budget import in_force

        if "looks" in given:
            raise BadInput("study.looks is declared for the test part: test_budget={looks: 5, refuse: false}")
        budget = in_force(self.store.root, self.split.test_fingerprint, self.test_budget)
        return 1 if budget is None else budget.looks

    def launcher(self, on_step: Callable[[int, int, str], None] | None = None) -> Launcher:
        """Where runs are executed; ``on_step`` is told how far a model's fitting is."""
        return cast("Launcher", self.made("launch", on_step=on_step))

    @cached_property
    def invocation(self) -> str:
        """The command that was given, to be shown where its results are."""
        return shlex.join(["python", f"scripts/{Path(sys.argv[0]).name}", *HydraConfig.get().overrides.task])

    @cached_property
    def mirror(self) -> WandbMirror:
        """The W&B mirror, as ``wandb.mode`` asks."""
        from crossover.record.wandb_mirror import WandbMirror

        return made_of(WandbMirror, self.plain("wandb"), "wandb")

"""The tally of faults: how often each was injected, and how often what is promised held.

Where CROSSOVER_TALLY names a file, the counts of all tests are written there as JSON when they end.
"""

from __future__ import annotations

import inspect
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

VARIABLE = "CROSSOVER_TALLY"
NAMED = re.compile(r'"(F\d\d)"')


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Callable[..., None]:
    """``tally("F16")``, once for each injected fault after it was survived; the test says its name so.

    What a test that fails has tallied counts as tried and not as survived. Where it fails before it
    tallies anything, each fault that it names counts as tried once.
    """
    item = request.node
    item.user_properties.append(("named", sorted(set(NAMED.findall(inspect.getsource(request.function))))))

    def count(fault: str, survived: bool = True) -> None:
        assert NAMED.fullmatch(f'"{fault}"'), f"{fault!r}: faults are named F01 and so on"
        item.user_properties.append(("fault", [fault, survived]))

    return count


class Counts:
    """Collects what tests have tallied; reports of pytest-xdist's workers arrive here too."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.failed: set[str] = set()
        self.skipped: set[str] = set()
        self.tried: Counter[str] = Counter()
        self.survived: Counter[str] = Counter()
        self.tests: defaultdict[str, set[str]] = defaultdict(set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.skipped:
            self.skipped.add(report.nodeid)
        if report.when != "teardown" or report.nodeid in self.skipped:
            return
        failed = report.nodeid in self.failed
        counted = [value for name, value in report.user_properties if name == "fault"]
        if failed and not counted:
            named = [value for name, value in report.user_properties if name == "named"]
            counted = [[fault, False] for faults in named for fault in faults]
        for fault, survived in counted:
            self.tried[fault] += 1
            self.survived[fault] += survived and not failed
            self.tests[fault].add(Path(report.nodeid.split("::")[0]).name)

    def pytest_sessionfinish(self) -> None:
        from faults.planned import KILLS

        plain = {
            "command": "make test-faults",
            "kills": KILLS,
            "faults": {
                fault: {"tried": n, "survived": self.survived[fault], "tests": sorted(self.tests[fault])}
                for fault, n in sorted(self.tried.items())
            },
        }
        aside = self.file.with_name(f"{self.file.name}.{os.getpid()}.part")
        aside.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
        os.replace(aside, self.file)


def pytest_configure(config: pytest.Config) -> None:
    file = os.environ.get(VARIABLE)
    if file and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Counts(Path(file).resolve()), "tally of faults")

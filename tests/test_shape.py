"""The layout's rules, checked by machine from the first day (docs/decisions/0001)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "crossover"
FILES = sorted(SOURCE.rglob("*.py"))
MOST_LINES, MOST_FUNCTION_LINES, MOST_SCRIPT_LINES, MOST_EXPERIMENT_LINES = 400, 60, 40, 120
GRAB_BAGS = {"utils", "helpers", "common", "misc", "core", "base", "lib", "util", "shared_code"}
NOUNS = {
    "data": "corpus", "measure": "score", "look": "finding", "split": "split", "protocol": "run_spec",
    "model": "classifier", "record": "run_record", "launch": "launcher", "study": "study", "report": "page",
    "sample": "sample", "measure/metric": "metric", "protocol/selection": "rule", "model/features": "block",
    "model/encoder": "encoder", "data/flaw": "flaw",
}  # fmt: skip
TORCH_FREE = ("data", "measure", "look", "split", "sample", "protocol", "record", "study", "report")


def name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_holds_one_thing(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES, f"{lines} lines: which two things does it hold?"
    assert path.stem not in GRAB_BAGS


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_function_fits_a_screen(path: Path) -> None:
    for function in functions(path):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        assert length <= MOST_FUNCTION_LINES, f"{function.name} has {length} lines"


def test_a_whole_run_fits_one_page() -> None:
    lines = (SOURCE / "experiment.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MOST_EXPERIMENT_LINES


def test_scripts_are_verbs_of_one_screen() -> None:
    scripts = sorted((ROOT / "scripts").glob("*.py"))
    assert {script.stem for script in scripts} >= {"look", "split", "run", "study", "report"}
    for script in scripts:
        assert len(script.read_text(encoding="utf-8").splitlines()) <= MOST_SCRIPT_LINES, script.name


def test_every_folder_is_known_and_holds_its_noun() -> None:
    folders = {p.parent.relative_to(SOURCE).as_posix() for p in FILES} - {"."}
    assert folders == set(NOUNS), "a new concept needs a config group and a contract suite; add its noun here"
    for folder, noun in NOUNS.items():
        assert (SOURCE / folder / f"{noun}.py").is_file(), f"{folder}/ must own {noun}.py"


@pytest.mark.parametrize("path", [p for p in FILES if p.name == "__init__.py"], ids=name)
def test_init_is_a_docstring(path: Path) -> None:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert len(body) == 1 and isinstance(body[0], ast.Expr), "the linter does not see imports in __init__.py"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_nothing_is_unpickled_and_no_remote_code_runs(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
            assert not {n.split(".")[0] for n in names} & {
                "pickle",
                "joblib",
                "dill",
                "cloudpickle",
                "shelve",
            }
        if isinstance(node, ast.keyword):
            value = getattr(node.value, "value", None)
            assert not (node.arg in ("allow_pickle", "trust_remote_code") and value is not False)
            assert not (node.arg == "weights_only" and value is not True)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec", "hash"), f"{node.func.id}() in {path.name}"


@pytest.mark.parametrize("folder", TORCH_FREE)
def test_importing_a_folder_leaves_torch_unloaded(folder: str) -> None:
    modules = [
        f"crossover.{'.'.join(p.relative_to(SOURCE).with_suffix('').parts)}"
        for p in FILES
        if p.relative_to(SOURCE).parts[0] == folder and p.name != "__init__.py"
    ]
    code = (
        f"import importlib, sys\nfor m in {modules!r}: importlib.import_module(m)\n"
        "print([m for m in ('torch', 'transformers', 'hydra', 'omegaconf') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_importing_every_model_leaves_torch_unloaded() -> None:
    code = (
        "import importlib, pathlib, sys\n"
        f"for p in sorted(pathlib.Path({str(ROOT / 'conf' / 'model')!r}).glob('*.yaml')):\n"
        "    import yaml\n"
        "    importlib.import_module(yaml.safe_load(p.read_text())['_target_'].rsplit('.', 1)[0])\n"
        "print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_the_project_speaks_only_of_itself() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        path = ROOT / line
        if (
            path.suffix in {".py", ".md", ".yaml", ".toml", ".json", ".csv"}
            and path != Path(__file__)
            and path.exists()
        ):
            text = path.read_text(encoding="utf-8")
            for word in ("/wo" + "rk/", "/ro" + "ot/", "../sha" + "red/data"):
                assert word not in text, f"{line} names a path of one machine: {word}"

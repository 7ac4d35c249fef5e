"""Copy a finished study's small files into results/published/, with the command that made them.

python benchmarks/publish.py outputs/studies/crossover-0123456789abcdef sms_spam
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from pathlib import Path

from crossover.data.sealed_json import unsealed

PUBLISHED = Path(__file__).resolve().parents[1] / "results" / "published"


def publish(study: Path, name: str, to: Path = PUBLISHED) -> Path:
    """Write ``to/<name>/``: verdict.json, tables, figures and a page that states the command."""
    verdict = unsealed(study / "verdict.json", "run the study again: its runs are kept")
    verdict["numbers"] = public(verdict["numbers"])
    folder = to / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    text = json.dumps(verdict, ensure_ascii=False, indent=1)
    (folder / "verdict.json").write_text(text + "\n", encoding="utf-8")
    for kind in ("tables", "figures"):
        if (study / kind).is_dir():
            shutil.copytree(study / kind, folder / kind)
    drawn = sorted(file.stem for file in (folder / "figures").glob("*.png"))
    (folder / "README.md").write_text(page(name, verdict, drawn), encoding="utf-8")
    return folder


def public(value: object) -> object:
    """The values without rows' own texts and one machine's paths: no data from elsewhere is published."""
    if isinstance(value, dict):
        return {key: public(item) for key, item in value.items() if key not in ("text", "texts")}
    if isinstance(value, str) and value.startswith("python scripts/"):
        return without_folders(value)
    return [public(item) for item in value] if isinstance(value, list) else value


def without_folders(command: str) -> str:
    """The command with file names in place of one machine's paths, in the store of its reader."""
    command = re.sub(r" store=\S+", "", command)
    return re.sub(r"(=)(?:/[^\s'\"/]+)+/([^\s'\"/]+)", r"\1\2", command)


def page(name: str, verdict: dict, drawn: list[str]) -> str:
    """A page of Markdown: the sentence, what it speaks of, its flags, the command, the figures drawn."""
    main = [kind for kind in drawn if kind in ("learning_curves", "difference_1")]
    shown = main or drawn
    flags = "".join(f"- {flag}\n" for flag in verdict["flags"])
    figures = "".join(f"![{kind}](figures/{kind}.png)\n\n" for kind in shown)
    return (
        f"# {name}\n\n{verdict['sentence']}\n\n{verdict['population']}\n\n{flags}\n"
        f"Next: {verdict['next_step']}\n\n```\n{verdict['numbers']['commands']['study']}\n```\n\n{figures}"
    )


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("study", type=Path)
    arguments.add_argument("name")
    given = arguments.parse_args()
    print(publish(given.study, given.name))

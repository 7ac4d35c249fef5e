"""Copy what a look found into results/published/: numbers, figures, tables; no text, id or group.

python benchmarks/publish_look.py outputs/looks/0123456789abcdef/raw-0123456789ab look_sms_spam
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from publish import PUBLISHED, without_folders

from crossover.data.sealed_json import unsealed
from crossover.report.finding_table import mirror_rows
from crossover.report.look_page import look_charts
from crossover.report.look_tables import statistics_table, word_table
from crossover.report.tables import to_csv

KEPT = ("stage", "corpus", "balance", "lengths", "statistics", "languages", "scripts", "words")


def publish_look(look: Path, name: str, to: Path = PUBLISHED) -> Path:
    """Write ``to/<name>/``: findings.json, tables, up to two figures and a page that states the command."""
    found = unsealed(look / "findings.json", "look again")
    plain = published(found)
    folder = to / name
    shutil.rmtree(folder, ignore_errors=True)
    for kind in ("figures", "tables"):
        (folder / kind).mkdir(parents=True)
    text = json.dumps(plain, ensure_ascii=False, indent=1)
    (folder / "findings.json").write_text(text + "\n", encoding="utf-8")
    charts = [chart for chart in look_charts(plain) if chart.name in chosen(plain)]
    for chart in charts:
        (folder / "figures" / f"{chart.name}.png").write_bytes(chart.png())
    for title, table in (("statistics", statistics_table(plain)), ("words", word_table(plain))):
        (folder / "tables" / f"{title}.csv").write_text(to_csv(table), encoding="utf-8")
    (folder / "README.md").write_text(page(name, plain, [chart.name for chart in charts]), encoding="utf-8")
    return folder


def published(found: Mapping[str, object]) -> dict[str, object]:
    """What may leave: findings as they go to W&B, breakdowns but those by group, counts of clusters."""
    corpus = found["corpus"]
    names = {*corpus["classes"], *corpus["meta"]}
    for breakdown in found["breakdowns"]:
        if breakdown["kind"] != "group":
            names |= {*map(str, breakdown["values"]), breakdown["statistic"]}
    names |= {row["name"] for key in ("languages", "statistics") for row in found[key]}
    names |= {word["word"] for word in found["words"]}
    return {
        **{key: found[key] for key in KEPT},
        "command": without_folders(found["command"]).replace(" wandb.mode=disabled", ""),
        "findings": mirror_rows(found["findings"], names),
        "breakdowns": [b for b in found["breakdowns"] if b["kind"] != "group"],
        "clusters": [{"rows": c["rows"], "labels": c["labels"]} for c in found["clusters"]],
    }


def chosen(plain: Mapping[str, object]) -> tuple[str, str]:
    """The figures that are published: lengths, and the classes by the first time or other column."""
    ways = list(dict.fromkeys(b["by"] for b in plain["breakdowns"]))
    kinds = {b["by"]: b["kind"] for b in plain["breakdowns"]}
    timed = [k for k, by in enumerate(ways) if kinds[by].startswith("time")] or [0]
    return "look_lengths", f"look_shares_{timed[0]}"


def page(name: str, plain: Mapping[str, object], drawn: list[str]) -> str:
    """A page of Markdown: the command, every finding, the figures."""
    lines = [
        f"# {name}",
        "",
        "```",
        str(plain["command"]),
        "```",
        "",
        "| | finding | code |",
        "|---|---|---|",
    ]
    lines += [
        f"| {f['severity']} | {f['finding'].replace('|', '/')} | `{f['code']}` |" for f in plain["findings"]
    ]
    lines += ["", "Quoted texts and ids are blanked; see `docs/look.md` for what it means.", ""]
    lines += [f"![{figure}](figures/{figure}.png)\n" for figure in drawn]
    return "\n".join(lines)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("look", type=Path)
    arguments.add_argument("name")
    given = arguments.parse_args()
    print(publish_look(given.look, given.name))

"""scripts/encode.py: a corpus into the cache, said before and after; the machine measured on demand."""

from pathlib import Path

from commands_given import Command, left_in
from tiny_models import make_tiny


def test_a_corpus_goes_into_the_cache_and_is_found_by_the_next_command(
    command: Command, home: Path, mail: list[str]
) -> None:
    model = make_tiny(home / "tiny-encode")
    words = ["store=encoded", *mail, f"encoder.name={model}", "encoder.weights_sha256=''"]
    words += ["encoder.tokenizer_sha256=''", "encoder.max_length=32"]
    ended = command("encode", *words)
    assert (ended.returncode, ended.stderr) == (0, "")
    said = ended.stdout.splitlines()
    assert len(said) == 2 and said[0].startswith("600 texts: at most about ")
    assert said[1] == "encoded: 600 texts, 600 of them new, in encoded/cache/embeddings"
    before = left_in(home / "encoded")
    assert sum(name.endswith(".safetensors") for name in before) == 1
    ended = command("encode", *words)
    assert ended.stdout.splitlines()[1].startswith("encoded: 600 texts, 0 of them new")
    assert left_in(home / "encoded") == before


def test_the_probe_recommends_and_leaves_nothing(command: Command, home: Path) -> None:
    model = make_tiny(home / "tiny-probe")
    words = ["store=probed", "--probe", f"encoder.name={model}", "encoder.weights_sha256=''"]
    words += ["encoder.tokenizer_sha256=''", "encoder.max_length=64"]
    ended = command("encode", *words)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "recommended: encoder.dtype=" in ended.stdout and "nothing was changed" in ended.stdout
    assert not left_in(home / "probed")

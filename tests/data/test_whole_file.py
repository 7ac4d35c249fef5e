"""A file is replaced whole or stays as it was; a full disk is told with room and remedy."""

import errno
import os
from pathlib import Path

import pytest

from crossover.data.whole_file import unwritten, write_new, write_whole


def test_a_file_is_written_and_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    for data in (b"first", b"", b"another"):
        write_whole(tmp_path / "a.json", data)
        assert (tmp_path / "a.json").read_bytes() == data
        assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("step", ["posix_fallocate", "fsync", "replace"])
def test_what_was_there_stays_where_any_step_fails(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"before")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, full, raising=False)
    needs = r"a\.json; about 3\.0 MB are needed; nothing was left there\. .*to="
    with pytest.raises(OSError, match=needs) as told:
        write_whole(file, bytes(3_000_000), "name another folder with to=...")
    assert told.value.errno == errno.ENOSPC
    monkeypatch.undo()
    assert file.read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1


def test_an_interruption_leaves_nothing_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a.json", b"data")
    assert not list(tmp_path.iterdir())


def test_room_is_named_only_where_room_is_what_lacks(tmp_path: Path) -> None:
    full, closed = OSError(errno.EDQUOT, "Disk quota exceeded"), OSError(errno.EACCES, "Permission denied")
    assert "about 0.1 MB are needed" in str(unwritten(full, "x", 10))
    assert "MB" not in str(unwritten(closed, "x", 10)) and "store=..." in str(unwritten(closed, "x", 10))


@pytest.mark.parametrize("harmless", [errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS])
def test_a_file_system_that_sets_no_room_aside_is_written_all_the_same(
    harmless: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object) -> None:
        raise OSError(harmless, "")

    monkeypatch.setattr(os, "posix_fallocate", unknown, raising=False)
    write_whole(tmp_path / "a", b"data")
    assert (tmp_path / "a").read_bytes() == b"data"


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "none"])
def test_of_two_writers_of_a_new_file_one_is_told_and_changes_nothing(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    write_new(tmp_path / "a.json", b"first")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "a.json", b"second")
    assert (tmp_path / "a.json").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]

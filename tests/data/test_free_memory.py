"""Free memory is the machine's or the container's, whichever is less, and nothing where neither is told."""

import pytest

from crossover.data import free_memory as memory


@pytest.fixture
def told(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    return tmp_path


def test_the_machine_alone(told):
    (told / "meminfo").write_text("MemTotal: 100 kB\nMemAvailable:   7 kB\n")
    (told / "memory.max").write_text("max\n")
    (told / "memory.current").write_text("5\n")
    assert memory.free_memory() == 7 * 1024


@pytest.mark.parametrize(("limit", "free"), [(6_000, 5_000), (900, 0)])
def test_a_container_with_less(told, limit, free):
    (told / "meminfo").write_text("MemAvailable: 7 kB\n")
    (told / "memory.max").write_text(f"{limit}\n")
    (told / "memory.current").write_text("1000\n")
    assert memory.free_memory() == free


def test_neither_is_told(told):
    assert memory.free_memory() is None


def test_here_it_is_a_number_of_bytes():
    free = memory.free_memory()
    assert free is None or free > 1 << 20

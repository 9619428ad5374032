"""Free memory is what is left of the machine or of its container, whichever is less."""

import pytest

from parametra.core import machine


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A machine with 8 GiB left, and the folder of its container."""
    table, container = tmp_path / "meminfo", tmp_path / "cgroup"
    table.write_text("MemTotal:       16777216 kB\nMemAvailable:    8388608 kB\n")
    container.mkdir()
    monkeypatch.setattr(machine, "TABLE", table)
    monkeypatch.setattr(machine, "CONTAINER", container)
    return container


def _limit(container, most, used, cached=None):
    (container / "memory.max").write_text(f"{most}\n")
    (container / "memory.current").write_text(f"{used}\n")
    if cached is not None:
        (container / "memory.stat").write_text(f"anon 17\ninactive_file {cached}\nactive_file 5\n")


def test_without_a_container_the_machine_s(host):
    assert machine.free_memory() == pytest.approx(2**33 / 1e9)


@pytest.mark.parametrize(
    ("limit", "left"),
    [
        (("max", 10**9), 2**33 / 1e9),
        ((4 * 10**9, 10**9), 3.0),
        ((4 * 10**9, 3 * 10**9, 2 * 10**9), 3.0),  # files give way
        ((64 * 10**9, 10**9, 0), 2**33 / 1e9),
        ((10**9, 2 * 10**9, 0), 0.0),
    ],
)
def test_in_a_container_at_most_what_its_limit_leaves(host, limit, left):
    _limit(host, *limit)
    assert machine.free_memory() == pytest.approx(left)


def test_where_the_system_does_not_tell_nothing_is_made_up(host, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "TABLE", tmp_path / "none")
    assert machine.free_memory() is None
    assert machine.total_memory() > 0.0

"""A committee of a preset is made of the trained networks that its number says, and none is in two."""

import jax
import numpy as np
import pytest

from parametra.climate.emulator import Emulator, Limits, load_emulator, save_emulator
from parametra.climate.emulator.scaling import InputScaling
from parametra.climate.emulator.vectors import INPUTS, OUTPUTS, size
from parametra.core.progress import Progress
from parametra.networks import MLP, Committee
from parametra.store.runfolder import RunFolder
from parametra.studies.base import Run
from parametra.studies.climate import STUDY, training

NETWORKS = "networks=[{name='one', seeds=5}, {name='pair', seeds=2, members=2, committee_of='one'}]"


@pytest.fixture
def run(tmp_path):
    config = STUDY.resolve("smoke", [NETWORKS])
    folder = RunFolder.open(tmp_path / "run", "climate", "smoke", {})
    sigma = config.host.sigma_half  # pyright: ignore[reportAttributeAccessIssue]
    levels = len(sigma) - 1
    inputs, outputs = size(INPUTS, levels), size(OUTPUTS, levels)
    zeros, ones = np.zeros(inputs, np.float32), np.ones(inputs, np.float32)
    for seed in range(5):
        network = MLP.init(jax.random.key(seed), inputs, outputs, (3,))
        scaling = InputScaling(*map(jax.numpy.asarray, (zeros, ones, -ones, ones)), norm="variable")
        save_emulator(folder.network(f"one-{seed}"), Emulator(scaling, network, sigma, 1800.0, Limits(2)))
    return Run(folder, config, Progress())


def test_members_are_disjoint_and_in_order(run):
    assert training.network_names(run.config) == ["one-0", "one-1", "one-2", "one-3", "one-4", "pair-0", "pair-1"]
    pair = run.config.networks[1]
    for number in range(2):
        training._seat(run, f"pair-{number}", pair, number)
        whole, header = load_emulator(run.folder.network(f"pair-{number}"))
        members = [f"one-{2 * number}", f"one-{2 * number + 1}"]
        assert header["extra"]["members"] == members
        assert isinstance(whole.network, Committee)
        for member, name in zip(whole.network.members, members, strict=True):
            own = load_emulator(run.folder.network(name))[0].network
            for one, other in zip(jax.tree.leaves(member), jax.tree.leaves(own), strict=True):
                np.testing.assert_array_equal(one, other)

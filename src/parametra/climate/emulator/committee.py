"""Several emulators as one, whose network is the mean of theirs.

One moment of a cloud-resolving model is half chance, and networks that differ in nothing but their seeds carry different errors
of the mean, tenths of a kelvin per day, which a coupled run gathers over months. The mean over networks has less of that.
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import numpy as np

from parametra.climate.emulator.emulator import Emulator
from parametra.core.errors import UsageError
from parametra.networks import MLP, Committee


def committee(emulators: Sequence[Emulator]) -> Emulator:
    """The emulator of all of them: limits and conservation act once, on the mean.

    Raises:
        UsageError: no emulator, one that is no perceptron, or two that differ in more than the numbers of their networks.
    """
    if not emulators:
        raise UsageError("A committee needs at least one emulator, got none.")
    first, networks = emulators[0], [emulator.network for emulator in emulators]
    members = [network for network in networks if isinstance(network, MLP)]
    if len(members) < len(networks):
        raise UsageError("A committee is made of perceptrons. Likely cause: a linear regression or a committee among them.")
    for emulator in emulators[1:]:
        if not _alike(emulator, first):
            raise UsageError(
                "The emulators of a committee differ in norm, levels, limits or options. Remedy: networks of one kind, trained "
                "on the same columns."
            )
    return eqx.tree_at(lambda e: e.network, first, Committee(tuple(members)))


def _alike(one: Emulator, other: Emulator) -> bool:
    same = (one.sigma_half, one.time_step, one.conservation, one.clip, one.inputs, one.limits) == (
        other.sigma_half, other.time_step, other.conservation, other.clip, other.inputs, other.limits,
    )  # fmt: skip
    own, others = (jax.tree.leaves((e.scaling, e.moisture)) for e in (one, other))
    numbers = len(own) == len(others) and all(np.array_equal(a, b) for a, b in zip(own, others, strict=True))
    return same and one.scaling.norm == other.scaling.norm and numbers

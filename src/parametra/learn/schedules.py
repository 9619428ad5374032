"""Learning rates as functions of the optimiser's step."""

import jax.numpy as jnp
import optax

from parametra.core.errors import UsageError

DROPS, DROP = (0.3, 0.6, 0.8), 0.2  # epochs 60, 120 and 160 of 200


def learning_rate_schedule(name: str, rate: float, steps_per_epoch: int, epochs: int) -> optax.Schedule:
    """The learning rate at each step of the optimiser.

    Args:
        name: "step", rate 5^-floor((1 + epoch)/3), epoch from 0, the schedule of Rasp, Pritchard & Gentine (2018); "cosine", half
            a cosine from `rate` to zero over the whole training; "warm", the same after a linear rise over its first twentieth;
            "constant"; "drops", a fifth after 30, 60 and 80 % of the
            training, the schedule of Zagoruyko & Komodakis (2016).
        rate: the learning rate at the start.
        steps_per_epoch: optimiser steps in one pass over the data.
        epochs: passes over the data.

    Raises:
        UsageError: an unknown name.
    """
    if name == "step":
        return lambda step: rate * 5.0 ** -jnp.floor((1 + jnp.asarray(step) // steps_per_epoch) / 3)
    if name == "cosine":
        return optax.cosine_decay_schedule(rate, steps_per_epoch * epochs)
    if name == "warm":
        steps = max(steps_per_epoch * epochs, 2)
        return optax.warmup_cosine_decay_schedule(0.0, rate, max(steps // 20, 1), steps)
    if name == "constant":
        return optax.constant_schedule(rate)
    if name == "drops":
        return optax.piecewise_constant_schedule(rate, {round(share * epochs) * steps_per_epoch: DROP for share in DROPS})
    raise UsageError(f"Unknown learning-rate schedule {name!r}. Known: step, cosine, warm, constant, drops.")

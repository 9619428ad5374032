"""The optimiser of a recipe."""

import optax

from parametra.learn.config import RecipeConfig
from parametra.learn.schedules import learning_rate_schedule
from parametra.weights import decay_mask


def make_optimiser(recipe: RecipeConfig, steps_per_epoch: int) -> optax.GradientTransformation:
    """Clipping, then Adam with decoupled weight decay (Loshchilov & Hutter 2019), Muon, or heavy-ball descent with decay.

    Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) sets the singular values of a matrix's momentum to one
    before it steps; what is not a matrix goes by Adam.

    Weight decay spares reflectors, whose lengths mean nothing (`parametra.weights.decay_mask`).
    """
    decay = [optax.add_decayed_weights(recipe.weight_decay, mask=decay_mask)] if recipe.weight_decay > 0 else []
    if recipe.optimiser == "adam":
        parts = [optax.scale_by_adam(), *decay]
    elif recipe.optimiser == "muon":
        parts = [optax.contrib.muon(-1.0), *decay]  # it descends by itself: the sign is turned back
    else:
        parts = [*decay, *([optax.trace(recipe.momentum)] if recipe.momentum > 0 else [])]
    clip = [optax.clip_by_global_norm(recipe.clip)] if recipe.clip > 0 else []
    schedule = learning_rate_schedule(recipe.schedule, recipe.learning_rate, steps_per_epoch, recipe.epochs)
    return optax.chain(*clip, *parts, optax.scale_by_learning_rate(schedule))

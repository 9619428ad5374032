"""The compiled part of training: many steps of the optimiser in one call, and the loss on other data."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, PRNGKeyArray, PyTree

from parametra.learn.config import RecipeConfig
from parametra.learn.optimisers import make_optimiser

Loss = Callable[..., Any]
Augment = Callable[[Any, PRNGKeyArray], Any]
Watch = Callable[[Any, Any], dict[str, Array]]
SELECTION_BATCH = 8192


class Task(NamedTuple):
    """What is compiled; two equal tasks share one compilation, so that seeds one after the other compile once.

    Attributes:
        loss: `loss(model, batch)`, or with a carried state `loss(model, batch, state) -> (loss, state)`.
        recipe: the optimiser and its numbers.
        steps: steps of an epoch.
        leaves: what of the model is not trained, with the type of each part.
        structure: of the model.
        augment: as in `fit`.
        watch: as in `fit`.
        carries: whether a state goes from batch to batch.
    """

    loss: Loss
    recipe: RecipeConfig
    steps: int
    leaves: tuple[tuple[type, Any], ...]
    structure: Any
    augment: Augment | None
    watch: Watch | None
    carries: bool

    @property
    def static(self) -> PyTree:
        """The model without what is trained."""
        return jax.tree.unflatten(self.structure, [leaf for _, leaf in self.leaves])


class Compiled(NamedTuple):
    """The functions of a task; arrays of parameters and optimiser carry a leading axis, the member.

    Attributes:
        optimiser: its transformation.
        run: (parameters, optimiser state, data, order, keys, first step, carried) -> (parameters, optimiser state, carried, loss,
            gradient norm, watched).
        evaluate: (parameters, data, batch size, carried) -> (member,) mean loss.
    """

    optimiser: optax.GradientTransformation
    run: Callable[..., Any]
    evaluate: Callable[..., np.ndarray]


def compiled(task: Task) -> Compiled:
    """The functions of `task`, from before if they were asked for lately."""
    try:
        hash(task)
    except TypeError:  # an array of integers in the model, say
        return _compile(task)
    return _remembered(task)


def _compile(task: Task) -> Compiled:
    optimiser, static = make_optimiser(task.recipe, task.steps), task.static
    half = task.recipe.precision == "bfloat16"

    def value_of(params: PyTree, batch: Any, carried: Any) -> tuple[Array, Any]:
        model = eqx.combine(params, static)
        if half:
            model, batch, carried = (_cast(tree, jnp.bfloat16) for tree in (model, batch, carried))
        if not task.carries:
            return jnp.asarray(task.loss(model, batch), jnp.result_type(float)), None
        value, carried = task.loss(model, batch, carried)
        return jnp.asarray(value, jnp.result_type(float)), _cast(carried, jnp.float32) if half else carried

    def chunk(params, state, data, order, key, first, carried):
        def step(carry, inputs):
            (params, state, carried, _), (index, number) = carry, inputs
            batch = jax.tree.map(lambda array: array[index], data)
            if task.augment is not None:
                batch = task.augment(batch, jax.random.fold_in(key, number))
            (value, carried), gradient = jax.value_and_grad(value_of, has_aux=True)(params, batch, carried)
            carried = jax.lax.stop_gradient(carried)
            updates, state = optimiser.update(gradient, state, params)
            kept = None if task.watch is None else gradient
            return (optax.apply_updates(params, updates), state, carried, kept), (value, optax.tree.norm(gradient))

        kept = None if task.watch is None else jax.tree.map(jnp.zeros_like, params)
        start, numbers = (params, state, carried, kept), first + jnp.arange(len(order))
        (params, state, carried, kept), (values, norms) = jax.lax.scan(step, start, (order, numbers))
        seen = {} if task.watch is None else task.watch(eqx.combine(params, static), kept)
        return params, state, carried, values.mean(), norms.mean(), seen

    def mean_loss(params, batches, carried):
        def one(carried, batch):
            value, carried = value_of(params, batch, carried)
            return carried, value

        return jax.lax.scan(one, carried, batches)[1].mean()

    run = jax.jit(jax.vmap(chunk, in_axes=(0, 0, None, 0, 0, None, 0)), donate_argnums=(0, 1))
    over_members = jax.jit(jax.vmap(mean_loss, in_axes=(0, None, 0)))

    def evaluate(params: PyTree, data: PyTree, batch: int, carried: Any) -> np.ndarray:
        samples = len(jax.tree.leaves(data)[0])
        batch = min(batch if task.carries else SELECTION_BATCH, samples)
        used = samples // batch * batch  # the last part of a batch is left out
        batches = jax.device_put(jax.tree.map(lambda array: array[:used].reshape(-1, batch, *array.shape[1:]), data))
        return np.asarray(over_members(params, batches, carried))

    return Compiled(optimiser, run, evaluate)


_remembered = functools.lru_cache(maxsize=32)(_compile)  # a study that takes turns with all its networks has this many


def _cast(tree: PyTree, dtype: Any) -> PyTree:
    return jax.tree.map(lambda leaf: leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf, tree)

"""Give weights of any Equinox model a scheme, and make the model ready to run."""

import fnmatch
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import paramax
from jaxtyping import Array

from parametra.core.errors import UsageError
from parametra.weights.kernel import AbstractKernel
from parametra.weights.plan import is_float
from parametra.weights.stand_in import StandIn
from parametra.weights.weight import AbstractWeight

Model = TypeVar("Model")
Where = Callable[[Any], Any] | str | Sequence[str]


def parametrize(model: Model, where: Where, scheme: Callable[[Array], Any], *, keep: str = "values") -> Model:
    """`model` with each selected weight held as `scheme` says.

    Args:
        model: any Equinox module, ours or foreign, or any other pytree. An array in two places is two weights, as everywhere in
            Equinox; `eqx.nn.Shared` ties them.
        where: a function from the model to a weight or a sequence of weights, as `eqx.tree_at` takes it; or dotted paths with
            wildcards, "layers.*.weight". A weight is an array (outputs, inputs) or (outputs, inputs, *window), or one of ours.
        scheme: `symmetric()`, `hadamard(4)`, ..., or any function from a dense array to a weight of the same shape.
        keep: "values" for the nearest weight to what is there, "scale" to multiply it back to the same root mean square, for a
            model that is still to be trained (the mean over a symmetry has a smaller variance).

    Returns:
        the model with weights in the places of arrays. Layers that only multiply (ours, and Equinox's Linear, LSTMCell and
        GRUCell) run as they are; for all others call `resolve` first.

    Raises:
        UsageError: nothing selected, something that is not a weight, or a shape that the scheme cannot hold.
    """
    if keep not in ("values", "scale"):
        raise UsageError(f'keep must be "values" or "scale", got {keep!r}.')
    _check_scheme(scheme)
    if callable(where):
        model = _apart(model)
        made = {id(node): _make(node, scheme, keep) for node in _select(model, where)}
        places = [node for node in jax.tree.leaves(model, is_leaf=lambda node: id(node) in made) if id(node) in made]
        if len(places) < len(made):
            raise UsageError(
                "`where` returns something that is not in the model. Likely cause: a copy, or the result of a computation. "
                "Remedy: return the weights themselves, lambda model: model.layers[0].weight."
            )
        return jax.tree.map(lambda node: made.get(id(node), node), model, is_leaf=lambda node: id(node) in made)
    patterns = [where] if isinstance(where, str) else where
    if not isinstance(patterns, (list, tuple)) or not all(isinstance(pattern, str) for pattern in patterns):
        raise UsageError(f'`where` must be a function of the model or dotted paths, got {where!r}. Remedy: "layers.*.weight".')
    named = [(_name(path), node) for path, node in weights_of(model)]
    idle = [pattern for pattern in patterns if not any(_matches(name, [pattern]) for name, _ in named)]
    if idle or not patterns:
        known = ", ".join(name for name, _ in named[:8]) + (", ..." if len(named) > 8 else "")
        what = ", ".join(map(repr, idle)) or "An empty list"
        raise UsageError(f"{what} selects nothing. Likely cause: another spelling. Paths: {known}.")

    def swap(path: Any, node: Any) -> Any:
        chosen = (_is_weight(node) or is_float(node)) and _matches(_name(path), patterns)
        return _make(node, scheme, keep) if chosen else node

    return jax.tree_util.tree_map_with_path(swap, model, is_leaf=_is_weight)


def resolve(model: Model) -> Model:
    """`model` with everything made that can be made once; call it at the top of a loss, outside a scan.

    In layers that only multiply, a weight that multiplies faster than its dense matrix stays what it is. Everywhere else it
    becomes the array that the layer expects, so that any model runs. Gradients flow through to the free numbers.
    """
    return _resolve(model, multiplies=False)


def _resolve(node: Any, multiplies: bool) -> Any:
    if isinstance(node, StandIn):
        ready = node.weight.resolved() if isinstance(node.weight, AbstractWeight) and multiplies else None
        return node.unwrap() if ready is None or not ready.structured else StandIn(ready)
    if isinstance(node, (AbstractWeight, AbstractKernel)):
        return node.resolved()
    if isinstance(node, paramax.AbstractUnwrappable):
        return paramax.unwrap(node)
    inner = isinstance(node, (eqx.nn.Linear, eqx.nn.LSTMCell, eqx.nn.GRUCell))
    children = lambda x: x is not node  # one level at a time, to know whose field a weight is
    return jax.tree.map(lambda child: child if child is node else _resolve(child, inner), node, is_leaf=children)


def _apart(model: Model) -> Model:
    """`model` with an object of its own in every place: an array that stands in two is selected only where it is asked for."""
    seen: set[int] = set()

    def own(node: Any) -> Any:
        if not (_is_weight(node) or is_float(node)):
            return node
        if id(node) in seen:
            node = jax.tree.map(jnp.copy, node)
        seen.add(id(node))
        return node

    return jax.tree.map(own, model, is_leaf=_is_weight)


def _check_scheme(scheme: Any) -> None:
    try:
        inspect.signature(scheme).bind(None)
    except ValueError:  # a builtin, whose arguments Python does not tell
        return
    except TypeError as error:
        raise UsageError(
            f"{scheme!r} cannot be called with an array ({error}). Likely cause: forgotten brackets, or a name instead of a "
            "scheme. Remedy: symmetric(), hadamard(4), or a function from an array to a weight."
        ) from error


def _select(model: Any, where: Callable[[Any], Any]) -> list[Any]:
    try:
        nodes = where(model)
    except (AttributeError, LookupError, TypeError) as error:
        raise UsageError(f"`where` fails on this model: {error}. Remedy: a function that returns weights of it.") from error
    nodes = list(nodes) if isinstance(nodes, (list, tuple)) else [nodes]
    if not nodes:
        raise UsageError("`where` selects nothing. Likely cause: an empty list. Remedy: return the weights to be replaced.")
    for number, node in enumerate(nodes):
        if not (_is_weight(node) or is_float(node)):
            what = f"an array of {node.dtype}" if eqx.is_array(node) else f"{type(node).__name__}"
            raise UsageError(
                f"`where` selects {what} (number {number}), which is no weight. Likely cause: the layer instead of its weight, "
                "or a layer without one. Remedy: select arrays of floating-point numbers, lambda model: model.layers[0].weight."
            )
    return nodes


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def weights_of(model: Any) -> list[tuple[Any, Any]]:
    """(path, node) of all weights and of the arrays outside weights, in the order of the tree."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(model, is_leaf=_is_weight)
    return [(path, leaf) for path, leaf in leaves if _is_weight(leaf) or is_float(leaf)]


def _is_weight(node: Any) -> bool:
    return isinstance(node, paramax.AbstractUnwrappable)


def _make(node: Any, scheme: Callable[[Array], Any], keep: str) -> Any:
    dense = node.unwrap() if isinstance(node, (AbstractWeight, AbstractKernel, StandIn)) else paramax.unwrap(node)
    if keep == "scale":
        size = _root_mean_square(scheme(dense).unwrap())
        ratio = jnp.where(size > 0, _root_mean_square(dense) / jnp.where(size > 0, size, 1.0), 1.0)  # of nothing, nothing is left
        dense = dense * jax.lax.stop_gradient(ratio)
    made = scheme(dense)
    if not _is_weight(made) or tuple(made.shape) != tuple(dense.shape):
        found = f"{type(made).__name__} of shape {tuple(getattr(made, 'shape', ()))}"
        raise UsageError(
            f"The scheme made a {found} of an array of shape {tuple(dense.shape)}. Likely cause: a scheme that returns an "
            "array, or transposes. Remedy: return a weight of the same shape."
        )
    ours = any(isinstance(node, kind) and isinstance(made, kind) for kind in (AbstractWeight, AbstractKernel))
    return made if ours else StandIn(made)


def _root_mean_square(array: Array) -> Array:
    return jnp.sqrt(jnp.mean(jnp.square(array)))

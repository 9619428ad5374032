"""Weight decay and reflectors: what an optimiser should leave alone."""

from typing import TypeVar

import jax
from jaxtyping import PyTree

from parametra.weights.reflectors import Reflectors
from parametra.weights.tap_kernel import TapKernel

Model = TypeVar("Model")


def decay_mask(model: PyTree) -> PyTree:
    """True where weight decay means something: everywhere but in reflectors, whose lengths mean nothing.

    For `optax.adamw(rate, mask=decay_mask)`. Decay of the free numbers of bounded singular values draws these to the centre of
    their interval; of free ones, to zero. Decay of reflectors would shrink rows that do not resist, until they count as zero
    (norm below 1e-15) and their reflector becomes the identity for ever; the matrix stays orthogonal even then.
    """

    def mask(node: PyTree) -> PyTree:
        if isinstance(node, TapKernel):  # its family of matrices is out of sight of a tree
            return jax.tree.unflatten(jax.tree.structure(node), jax.tree.leaves(decay_mask(node.matrices)))
        return jax.tree.map(lambda _: not isinstance(node, Reflectors), node)

    return jax.tree.map(mask, model, is_leaf=_holds_reflectors)


def renormalise(model: Model) -> Model:
    """`model` with all reflectors at norm 1, which changes none of its matrices.

    Optimisers with a memory of gradients let rows grow, and so turn slower; the authors of the paper do this after every step.
    """

    def one(node: PyTree) -> PyTree:
        if isinstance(node, TapKernel):
            return TapKernel.of(jax.vmap(renormalise)(node.matrices), node.shape, node.orbits)
        return node.renormalised() if isinstance(node, Reflectors) else node

    return jax.tree.map(one, model, is_leaf=_holds_reflectors)


def _holds_reflectors(node: object) -> bool:
    return isinstance(node, Reflectors | TapKernel)

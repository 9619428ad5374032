"""The mean of several networks of one shape: bagging without its resampling (Breiman 1996)."""

import equinox as eqx
from jaxtyping import Array, Float

from parametra.core.errors import UsageError
from parametra.networks.mlp import MLP


class Committee(eqx.Module):
    """y = mean over members of member(x).

    Attributes:
        members: networks that differ in their numbers only.
    """

    members: tuple[MLP, ...]

    def __check_init__(self):
        if not self.members:
            raise UsageError("A committee needs at least one member, got none.")
        if any((one.sizes, one.activation) != (self.members[0].sizes, self.members[0].activation) for one in self.members):
            raise UsageError("The members of a committee differ in shape or activation. Remedy: networks of one kind.")

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """The mean answer."""
        return sum((member(x) for member in self.members[1:]), self.members[0](x)) / len(self.members)

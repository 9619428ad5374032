"""Symmetric matrices in n(n+1)/2 numbers, for `torch.nn.utils.parametrize.register_parametrization`."""

import torch  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]

from parametra.torch.reflectors import pack, unpack
from parametra.torch.spectral import check_square


class Symmetric(nn.Module):
    """W = Wᵀ: W_ij = p_ij / sqrt(2) off the diagonal, p_ii on it, so that a step of gradient descent is the dense one, projected.

    The optimiser and the checkpoint hold n(n+1)/2 numbers; the values and steps are those of `parametra.weights.PackedSymmetric`,
    which stores its numbers in another order.

    Raises:
        UsageError: a weight that is not square, or has NaN.
    """

    size: int = 0

    def right_inverse(self, weight: Tensor) -> Tensor:
        """The numbers of the symmetric part of a weight."""
        check_square(weight)
        self.size = len(weight)
        matrix = (weight.detach() + weight.detach().T) / 2
        return pack(torch.triu(matrix, 1) * 2**0.5 + torch.diag(matrix.diagonal()))

    def forward(self, packed: Tensor) -> Tensor:
        """The matrix of given numbers."""
        upper = unpack(packed, self.size, self.size)
        above = torch.triu(upper, 1) * 0.5**0.5
        return above + above.T + torch.diag(upper.diagonal())

"""Spectral and symmetric weights for PyTorch, with the numbers of those in `parametra.weights`. Needs the extra `torch`.

    torch.nn.utils.parametrize.register_parametrization(layer, "weight", parametra.torch.Spectral(bounds=(0.5, 1.0)))

| name | what it is |
| --- | --- |
| `Spectral` | W = U diag(sigma) Vᵀ, as `parametra.weights.SpectralWeight` |
| `SpectralSymmetric` | W = Q diag(lambda) Qᵀ |
| `Symmetric` | W = Wᵀ in n(n+1)/2 numbers |
| `TORCH_VERSION` | of the torch that was found |
"""

from parametra.torch.needed import TORCH_VERSION as TORCH_VERSION
from parametra.torch.spectral import Spectral as Spectral
from parametra.torch.spectral import SpectralSymmetric as SpectralSymmetric
from parametra.torch.symmetric import Symmetric as Symmetric

"""What a matrix is made of. Each weight is one file; any layer takes any weight.

| name | what it is |
| --- | --- |
| `AbstractWeight` | the contract: `shape`, `apply`, `unwrap`, and closed forms where they are known |
| `Dense` | a free matrix |
| `PackedSymmetric` | W = Wᵀ in n(n+1)/2 numbers; `Eigen`, `LDL`, `SoftSymmetric` with `penalty` |
| `GroupWeight` | symmetry among blocks of channels, applied by a butterfly: `Walsh`, `Reversal`, `Fourier` |
| `SpectralWeight` | W = U diag(sigma) Vᵀ, singular values in an interval; `Reflectors`, `SpectralSymmetric`, `SpectralKernel` |
| `Mirrored`, `Chunked` | tied rows and columns, at the price of rank |
| `Stacked` | matrices above one another: the gates of a recurrent cell |
| `AbstractKernel` | the contract of convolutions: `FreeKernel`, `TapKernel`, `GroupKernel` |
| `parametrize`, `resolve` | give the weights of any model a scheme; make them ready once, outside a scan |
| `Scheme` | what a free array becomes: `symmetric`, `hadamard`, `circulant`, ... of `schemes` |
| `StandIn` | a weight in the place of an array, in a module that knows nothing of weights |
| `spectral`, `orthogonal`, `spectral_symmetric` | the spectral schemes |
| `decay_mask`, `renormalise` | what an optimiser should leave alone in reflectors; rows back to norm 1 |
| `circular_singular_values` | the exact ones of a convolution on a ring |
| `Plan` | how a product is done and what it costs |
| `glorot_uniform`, `he_normal` | initial values |
"""

from parametra.weights.butterflies import AbstractTransform as AbstractTransform
from parametra.weights.butterflies import Fourier as Fourier
from parametra.weights.butterflies import Reversal as Reversal
from parametra.weights.butterflies import Walsh as Walsh
from parametra.weights.decay import decay_mask as decay_mask
from parametra.weights.decay import renormalise as renormalise
from parametra.weights.dense import Dense as Dense
from parametra.weights.eigen import LDL as LDL
from parametra.weights.eigen import Eigen as Eigen
from parametra.weights.free_kernel import FreeKernel as FreeKernel
from parametra.weights.group import GroupWeight as GroupWeight
from parametra.weights.group_kernel import GroupKernel as GroupKernel
from parametra.weights.initialisers import glorot_uniform as glorot_uniform
from parametra.weights.initialisers import he_normal as he_normal
from parametra.weights.kernel import AbstractKernel as AbstractKernel
from parametra.weights.parametrize import parametrize as parametrize
from parametra.weights.parametrize import resolve as resolve
from parametra.weights.plan import Plan as Plan
from parametra.weights.reflectors import Reflectors as Reflectors
from parametra.weights.scheme import Scheme as Scheme
from parametra.weights.schemes import block4 as block4
from parametra.weights.schemes import block_symmetric as block_symmetric
from parametra.weights.schemes import centrosymmetric as centrosymmetric
from parametra.weights.schemes import channelwise as channelwise
from parametra.weights.schemes import chunk as chunk
from parametra.weights.schemes import circulant as circulant
from parametra.weights.schemes import dense as dense
from parametra.weights.schemes import dihedrally_symmetric as dihedrally_symmetric
from parametra.weights.schemes import eigen as eigen
from parametra.weights.schemes import eighth as eighth
from parametra.weights.schemes import gates as gates
from parametra.weights.schemes import hadamard as hadamard
from parametra.weights.schemes import ldl as ldl
from parametra.weights.schemes import quarter as quarter
from parametra.weights.schemes import soft as soft
from parametra.weights.schemes import spatially_symmetric as spatially_symmetric
from parametra.weights.schemes import stacked as stacked
from parametra.weights.schemes import symmetric as symmetric
from parametra.weights.soft import SoftSymmetric as SoftSymmetric
from parametra.weights.soft import penalty as penalty
from parametra.weights.spectral import SpectralWeight as SpectralWeight
from parametra.weights.spectral_kernel import SpectralKernel as SpectralKernel
from parametra.weights.spectral_kernel import circular_singular_values as circular_singular_values
from parametra.weights.spectral_schemes import orthogonal as orthogonal
from parametra.weights.spectral_schemes import spectral as spectral
from parametra.weights.spectral_schemes import spectral_symmetric as spectral_symmetric
from parametra.weights.spectral_symmetric import SpectralSymmetric as SpectralSymmetric
from parametra.weights.stacked import Stacked as Stacked
from parametra.weights.stand_in import StandIn as StandIn
from parametra.weights.symmetric import PackedSymmetric as PackedSymmetric
from parametra.weights.tap_kernel import TapKernel as TapKernel
from parametra.weights.tied import Chunked as Chunked
from parametra.weights.tied import Mirrored as Mirrored
from parametra.weights.weight import AbstractWeight as AbstractWeight

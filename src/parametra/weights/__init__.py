"""What a matrix is made of. Each weight is one file; any layer takes any weight.

| name | what it is |
| --- | --- |
| `AbstractWeight` | the contract: `shape`, `apply`, `unwrap`, and closed forms where they are known |
| `Dense` | a free matrix |
| `GroupWeight` | symmetry among blocks of channels, applied by a butterfly: `Walsh`, `Reversal`, `Fourier` |
| `parametrize`, `resolve` | give the weights of any model a scheme; make them ready once, outside a scan |
| `Scheme` | what a free array becomes: `hadamard`, `block_symmetric`, `centrosymmetric`, `circulant` |
| `StandIn` | a weight in the place of an array, in a module that knows nothing of weights |
| `Plan` | how a product is done and what it costs |
| `glorot_uniform`, `he_normal` | initial values |
"""

from parametra.weights.butterflies import AbstractTransform as AbstractTransform
from parametra.weights.butterflies import Fourier as Fourier
from parametra.weights.butterflies import Reversal as Reversal
from parametra.weights.butterflies import Walsh as Walsh
from parametra.weights.dense import Dense as Dense
from parametra.weights.group import GroupWeight as GroupWeight
from parametra.weights.initialisers import glorot_uniform as glorot_uniform
from parametra.weights.initialisers import he_normal as he_normal
from parametra.weights.parametrize import parametrize as parametrize
from parametra.weights.parametrize import resolve as resolve
from parametra.weights.plan import Plan as Plan
from parametra.weights.scheme import Scheme as Scheme
from parametra.weights.schemes import block_symmetric as block_symmetric
from parametra.weights.schemes import centrosymmetric as centrosymmetric
from parametra.weights.schemes import circulant as circulant
from parametra.weights.schemes import hadamard as hadamard
from parametra.weights.stand_in import StandIn as StandIn
from parametra.weights.weight import AbstractWeight as AbstractWeight

"""What a matrix is made of. Each weight is one file; any layer takes any weight.

| name | what it is |
| --- | --- |
| `AbstractWeight` | the contract: `shape`, `apply`, `unwrap`, and closed forms where they are known |
| `Dense` | a free matrix |
| `glorot_uniform`, `he_normal` | initial values |
"""

from parametra.weights.dense import Dense as Dense
from parametra.weights.initialisers import glorot_uniform as glorot_uniform
from parametra.weights.initialisers import he_normal as he_normal
from parametra.weights.weight import AbstractWeight as AbstractWeight

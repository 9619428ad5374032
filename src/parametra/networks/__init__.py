"""Layers and networks over any weight.

| name | what it is |
| --- | --- |
| `Linear` | W x + b |
| `MLP` | linear layers with a pointwise nonlinearity between them |
| `ACTIVATIONS` | the nonlinearities by name |
| `count_parameters` | free numbers of a network |
"""

from parametra.networks.activations import ACTIVATIONS as ACTIVATIONS
from parametra.networks.linear import Linear as Linear
from parametra.networks.mlp import MLP as MLP
from parametra.networks.size import count_parameters as count_parameters

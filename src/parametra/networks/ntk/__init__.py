"""Layers whose wide limit is known: each says from which law its weights are drawn.

| name | what it is |
| --- | --- |
| `Dense`, `Conv` | affine layers in the NTK or the standard parameterization |
| `ReLU`, `LeakyReLU`, `ABReLU`, `Abs`, `Erf`, `GELU`, `Sine`, `Gaussian`, `Exponential`, `Polynomial`, `Identity` | pointwise,
closed form |
| `Pointwise` | any other pointwise function |
| `AveragePool`, `GlobalAveragePool`, `Flatten` | from pixels to features |
| `LayerNorm`, `Dropout` | normalization without free numbers; the identity at test time |
| `Chain`, `ResidualSum` | one after the other; sum of two branches |
| `dense_network`, `conv_network`, `residual_network`, `wide_residual_network` | whole networks |

Features are the last axis, images (..., height, width, channels); any leading axes are a batch.
"""

from parametra.networks.ntk.activations import GELU as GELU
from parametra.networks.ntk.activations import ABReLU as ABReLU
from parametra.networks.ntk.activations import Abs as Abs
from parametra.networks.ntk.activations import AbstractActivation as AbstractActivation
from parametra.networks.ntk.activations import Erf as Erf
from parametra.networks.ntk.activations import Exponential as Exponential
from parametra.networks.ntk.activations import Gaussian as Gaussian
from parametra.networks.ntk.activations import Identity as Identity
from parametra.networks.ntk.activations import LeakyReLU as LeakyReLU
from parametra.networks.ntk.activations import Pointwise as Pointwise
from parametra.networks.ntk.activations import Polynomial as Polynomial
from parametra.networks.ntk.activations import ReLU as ReLU
from parametra.networks.ntk.activations import Sine as Sine
from parametra.networks.ntk.chain import Chain as Chain
from parametra.networks.ntk.chain import ResidualSum as ResidualSum
from parametra.networks.ntk.conv import Conv as Conv
from parametra.networks.ntk.dense import Dense as Dense
from parametra.networks.ntk.norm import Dropout as Dropout
from parametra.networks.ntk.norm import LayerNorm as LayerNorm
from parametra.networks.ntk.pool import AveragePool as AveragePool
from parametra.networks.ntk.pool import Flatten as Flatten
from parametra.networks.ntk.pool import GlobalAveragePool as GlobalAveragePool
from parametra.networks.ntk.whole import conv_network as conv_network
from parametra.networks.ntk.whole import dense_network as dense_network
from parametra.networks.ntk.whole import residual_network as residual_network
from parametra.networks.ntk.whole import wide_residual_network as wide_residual_network

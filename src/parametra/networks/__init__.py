"""Layers and networks over any weight.

| name | what it is |
| --- | --- |
| `Linear` | W x + b |
| `Conv` | K * x + b over a batch of signals, channels last |
| `GroupNorm` | normalisation of channels with nothing to remember |
| `ResNet`, `WideResNet` | residual networks, over kernels of any kind |
| `MLP` | linear layers with a pointwise nonlinearity between them |
| `Committee` | the mean of several perceptrons |
| `RNNCell`, `LSTMCell`, `GRUCell` | recurrent cells; `RNNCell.spectral` is the spectral RNN |
| `LanguageModel` | words, embedding, LSTM, softmax |
| `lipschitz_bound` | how much a network can stretch, in closed form |
| `ACTIVATIONS` | the nonlinearities by name |
| `count_parameters` | free numbers of a network |
"""

from parametra.networks.activations import ACTIVATIONS as ACTIVATIONS
from parametra.networks.committee import Committee as Committee
from parametra.networks.conv import Conv as Conv
from parametra.networks.language_model import LanguageModel as LanguageModel
from parametra.networks.linear import Linear as Linear
from parametra.networks.lipschitz import lipschitz_bound as lipschitz_bound
from parametra.networks.lipschitz import residual_bound as residual_bound
from parametra.networks.lipschitz import sequence_bound as sequence_bound
from parametra.networks.mlp import MLP as MLP
from parametra.networks.norm import GroupNorm as GroupNorm
from parametra.networks.recurrent import AbstractCell as AbstractCell
from parametra.networks.recurrent import GRUCell as GRUCell
from parametra.networks.recurrent import LSTMCell as LSTMCell
from parametra.networks.recurrent import RNNCell as RNNCell
from parametra.networks.resnet import RESNET_50 as RESNET_50
from parametra.networks.resnet import RESNET_101 as RESNET_101
from parametra.networks.resnet import RESNET_152 as RESNET_152
from parametra.networks.resnet import ResNet as ResNet
from parametra.networks.size import count_parameters as count_parameters
from parametra.networks.wide_resnet import WideResNet as WideResNet

"""Training in closed form: what gradient descent on a wide network does, before it is done.

| name | what it is |
| --- | --- |
| `squared_loss` | mean and covariance of predictions under squared loss, at any times and at infinity |
| `cross_entropy` | the same network under cross-entropy, by ODE or by exact steps of the linear model |
| `mini_batches` | the linear model trained with the mini-batches that a network saw, under either loss |
| `posterior` | the Bayesian posterior of the NNGP |
| `GradientFlow`, `GradientDescent`, `HeavyBall`, `Nesterov`, `MomentumFlow` | how the network is trained |
| `critical_learning_rates` | where gradient descent ceases to converge |

Everything is float64 on the host, whatever the kernel's precision: an eigendecomposition of a kernel matrix whose condition
number is 1e8 means nothing in float32.
"""

from parametra.wide.predict.batches import MiniBatches as MiniBatches
from parametra.wide.predict.batches import mini_batches as mini_batches
from parametra.wide.predict.crossentropy import CrossEntropy as CrossEntropy
from parametra.wide.predict.crossentropy import cross_entropy as cross_entropy
from parametra.wide.predict.optimisers import AbstractOptimiser as AbstractOptimiser
from parametra.wide.predict.optimisers import GradientDescent as GradientDescent
from parametra.wide.predict.optimisers import GradientFlow as GradientFlow
from parametra.wide.predict.optimisers import HeavyBall as HeavyBall
from parametra.wide.predict.optimisers import MomentumFlow as MomentumFlow
from parametra.wide.predict.optimisers import Nesterov as Nesterov
from parametra.wide.predict.posterior import posterior as posterior
from parametra.wide.predict.squared import SquaredLoss as SquaredLoss
from parametra.wide.predict.squared import critical_learning_rates as critical_learning_rates
from parametra.wide.predict.squared import squared_loss as squared_loss

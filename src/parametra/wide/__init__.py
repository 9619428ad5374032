"""A network in closed form: the same Equinox object that one trains, read as a kernel.

| name | what it is |
| --- | --- |
| `kernel`, `Kernel` | infinite-width NNGP and tangent kernels of a network; `rule`, `dual` take own layers and activations |
| `monte_carlo_kernel` | the same where there is no rule, estimated |
| `predict` | training in closed form: curves, ensembles, posterior, critical learning rates |
| `empirical_ntk` | tangent kernel of a finite network |
| `linearize`, `jacobian_product`, `transpose_product`, `ntk_product` | a network as a linear function of its parameters |
| `gram`, `Gram`, `stream_gram`, `StoredGram`, `collapse` | Gram matrices in tiles, in memory and on disk |
| `cholesky`, `conjugate_gradients` | kernel regression with a certificate |
| `fit_score`, `OffManifoldScore` | how far an input is off the training manifold, for online use |
| `truncation_error` | how exact the kernel of an activation without closed form is |
"""

from parametra.wide import predict as predict
from parametra.wide.collapse import collapse as collapse
from parametra.wide.duals import dual as dual
from parametra.wide.duals import dual_diagonal as dual_diagonal
from parametra.wide.duals import truncation_error as truncation_error
from parametra.wide.empirical import empirical_ntk as empirical_ntk
from parametra.wide.gram import Gram as Gram
from parametra.wide.gram import gram as gram
from parametra.wide.kernel import Kernel as Kernel
from parametra.wide.kernel import kernel as kernel
from parametra.wide.linear import Linearized as Linearized
from parametra.wide.linear import jacobian_product as jacobian_product
from parametra.wide.linear import linearize as linearize
from parametra.wide.linear import ntk_product as ntk_product
from parametra.wide.linear import transpose_product as transpose_product
from parametra.wide.montecarlo import monte_carlo_kernel as monte_carlo_kernel
from parametra.wide.rules import parts as parts
from parametra.wide.rules import rule as rule
from parametra.wide.score import OffManifoldScore as OffManifoldScore
from parametra.wide.score import fit_score as fit_score
from parametra.wide.solve import cholesky as cholesky
from parametra.wide.solve import conjugate_gradients as conjugate_gradients
from parametra.wide.state import State as State
from parametra.wide.stored import StoredGram as StoredGram
from parametra.wide.stored import stream_gram as stream_gram

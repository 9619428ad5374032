r"""Initial values of a matrix (outputs, inputs).

Sources: Glorot & Bengio (2010, AISTATS 9, eq. 16) and He, Zhang, Ren & Sun (2015, arXiv 1502.01852, eq. 10 and 15).
"""

import math

import jax
from jaxtyping import Array, Float, PRNGKeyArray


def glorot_uniform(key: PRNGKeyArray, outputs: int, inputs: int) -> Float[Array, "{outputs} {inputs}"]:
    """Uniform in ± sqrt(6 / (inputs + outputs))."""
    bound = math.sqrt(6.0 / (inputs + outputs))
    return jax.random.uniform(key, (outputs, inputs), minval=-bound, maxval=bound)


def he_normal(key: PRNGKeyArray, outputs: int, inputs: int, slope: float = 0.0) -> Float[Array, "{outputs} {inputs}"]:
    """Normal with variance 2 / ((1 + slope²) inputs); `slope` is that of the rectifier below zero."""
    return jax.random.normal(key, (outputs, inputs)) * math.sqrt(2.0 / ((1.0 + slope**2) * inputs))

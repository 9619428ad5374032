import numpy as np
import pytest

from parametra.dynamics import LOGISTIC, simulate


def logistic_series(noise=0.0, seed=0, controls=8, repeats=5):
    """Series of 5 steps from anywhere in [0, 1], r in [2.8, 3.5]: none of them chaotic."""
    r = np.linspace(2.8, 3.5, controls)
    return simulate(LOGISTIC, r, 6, lambda rng: rng.uniform(0, 1, 1), seed=seed, repeats=repeats, noise=noise, name="r")


@pytest.fixture(scope="session")
def clean():
    return logistic_series()


@pytest.fixture(scope="session")
def noisy():
    return logistic_series(noise=0.01, controls=15, repeats=8)


@pytest.fixture(scope="session")
def series_with():
    """The function itself, for tests that need several draws."""
    return logistic_series

"""The mean of surface pressure is kept by one factor. A core with ln ps as its variable loses 1e-5 of it in ten days."""

from jaxtyping import Array, Float

from parametra.climate.host.sums import GlobalSums


def restore_mass(pressure: Float[Array, " column"], sums: GlobalSums) -> tuple[Float[Array, " column"], Float[Array, ""]]:
    """Surface pressure [Pa] with its mean restored, and the relative change."""
    change = -sums.mean(pressure - sums.mean_pressure) / sums.mean_pressure
    return pressure * (1.0 + change), change

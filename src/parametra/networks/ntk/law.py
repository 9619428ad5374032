"""What affine layers share: the standard deviations of their weights and where those enter."""

import math

from parametra.core.errors import UsageError


def check_law(w_std: float, b_std: float | None, parameterization: str, sizes: tuple[int, ...]) -> None:
    """UsageError for standard deviations or sizes that no layer can have."""
    if not (math.isfinite(w_std) and w_std > 0):
        raise UsageError(f"w_std must be a positive number, got {w_std}.")
    if b_std is not None and not (math.isfinite(b_std) and b_std >= 0):
        raise UsageError(f"b_std must be None (no bias) or a number >= 0, got {b_std}.")
    if parameterization not in ("ntk", "standard"):
        raise UsageError(f"Unknown parameterization {parameterization!r}. Known: ntk, standard.")
    if min(sizes) < 1:
        raise UsageError(f"Layer sizes must be at least 1, got {sizes}.")


def factors(w_std: float, b_std: float | None, parameterization: str, fan_in: int) -> tuple[float, float, float, float]:
    """(deviation of W at the start, factor before W, deviation of b, factor before b)."""
    scale, bias = w_std / math.sqrt(fan_in), b_std or 0.0
    return (1.0, scale, 1.0, bias) if parameterization == "ntk" else (scale, 1.0, bias, 1.0)

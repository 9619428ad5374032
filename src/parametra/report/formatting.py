"""Numbers and targets as a reader wants them."""

import math
from collections.abc import Sequence

from parametra.store.metrics import Metric

UNITS = {"1": "", "K day-1": "K/day", "W m-2": "W/m²", "m s-1": "m/s", "m2 s-2": "m²/s²", "kg m-2": "kg/m²", "mm day-1": "mm/day"}


def number(value: float | int) -> str:
    """Three or four significant digits, thousands apart, powers of ten for the tiny and the huge; a dash if not finite."""
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    if size != 0 and (size < 1e-3 or size >= 1e7):
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}×10{_superscript(int(exponent))}".replace("-", "−")
    if size >= 1000:
        return f"{value:,.0f}".replace(",", "\u202f").replace("-", "−")
    decimals = 2 if size == 0 else (2 if size < 1 else 3) - math.floor(math.log10(size))
    text = f"{value:.{decimals}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")


def unit(text: str) -> str:
    """The unit in the form that the page writes."""
    return UNITS.get(text, text)


def with_unit(value: float | int, text: str) -> str:
    """Number and unit."""
    return f"{number(value)} {unit(text)}".strip()


def target(row: Metric) -> str:
    """The target in words, empty where there is none."""
    if row.target is None:
        return ""
    if isinstance(row.target, Sequence):
        low, high = row.target
        return f"{number(low)} to {number(high)}"
    return f"{'≤' if row.better == 'lower' else '≥'} {number(row.target)}"


def duration(seconds: float | int) -> str:
    """Seconds as s, min or h."""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _superscript(exponent: int) -> str:
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))

"""Where points lie, as a two-dimensional density on a logarithmic colour scale, with the line on which they should lie."""

import numpy as np
from matplotlib.colors import LogNorm

from parametra.report.figures.svg import panel


def density(middles: np.ndarray, share: np.ndarray, title: str, xlabel: str, ylabel: str, note: str = "") -> str:
    """SVG of `share` (x, y) of the points per box on a square grid of `middles`, with the line y = x."""
    with panel(width=4.6, height=4.1, left=0.17) as drawn:
        axes = drawn.axes
        seen = share > 0
        mesh = axes.pcolormesh(
            middles, middles, np.where(seen, share, np.nan).T, cmap="viridis_r", norm=LogNorm(1e-6, 0.3), shading="nearest"
        )
        mesh.set_rasterized(True)
        used = np.flatnonzero(seen.any(0) | seen.any(1))
        ends = (middles[used[0]], middles[used[-1]]) if used.size else (middles[0], middles[-1])
        pad = 0.05 * float(ends[1] - ends[0])
        edges = float(ends[0]) - pad, float(ends[1]) + pad
        axes.plot(ends, ends, color="#d55e00", linewidth=1.0, linestyle="--", label="every bit of vapour becomes heat")
        axes.set_xlim(*edges)
        axes.set_ylim(*edges)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.set_title(title)
        axes.text(0.97, 0.05, note, transform=axes.transAxes, ha="right", fontsize=8.5)
        drawn.legend_below()
    return drawn.svg

"""What each scheme does to a matrix and to its singular values: makes docs/images/weights.png.

    uv run python docs/images/weights.py

One random matrix with entries of variance 1/n; above, the nearest matrix that each scheme allows; below, its singular values over
those of the random one.
"""

from pathlib import Path

import jax
import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np

from parametra.weights import block4, circulant, dense, hadamard, quarter, spectral, symmetric

SIZE = 16
SCHEMES = {
    "dense": dense(),
    "symmetric": symmetric(),
    "quarter": quarter(),
    "hadamard(4)": hadamard(4),
    "circulant(4)": circulant(4),
    "block4": block4(),
    "spectral\n[0.9, 1.1]": spectral("full", (0.9, 1.1)),
}


def main() -> None:
    """Draw and save."""
    matrix = jax.random.normal(jax.random.key(3), (SIZE, SIZE)) / SIZE**0.5
    free = np.linalg.svd(matrix, compute_uv=False)
    figure, axes = plt.subplots(2, len(SCHEMES), figsize=(12.5, 4.0), height_ratios=(1.0, 0.8), layout="constrained")
    for column, (name, scheme) in enumerate(SCHEMES.items()):
        weight = scheme(matrix)
        full = np.asarray(weight.unwrap())
        upper, lower = axes[:, column]
        largest = np.abs(full).max()
        upper.imshow(full, cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest")
        upper.set(xticks=[], yticks=[])
        upper.set_title(f"{name}\n{weight.plan().parameters} numbers", fontsize=9)
        lower.plot(np.arange(1, SIZE + 1), free, color="0.7", linewidth=3)
        lower.plot(np.arange(1, SIZE + 1), np.linalg.svd(full, compute_uv=False), color="#b2182b", marker=".", markersize=4)
        lower.set(ylim=(-0.05, 2.1), xlim=(0, SIZE + 1), xticks=[1, SIZE // 2, SIZE])
        lower.spines[["top", "right"]].set_visible(False)
        lower.tick_params(labelsize=8, labelleft=column == 0)
    axes[0, 0].set_ylabel("W")
    axes[1, 0].set_ylabel("singular values", fontsize=9)
    figure.supxlabel("number of the singular value, largest first (grey: of the dense matrix)", fontsize=9)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()

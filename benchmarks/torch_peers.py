"""Peers in torch, each as a job of forward and backward, and the dense layer that they are divided by."""

from benchmarks.interleaved import Job

SIZE, BATCH = 1024, 128


def symmetric_jobs() -> dict[str, Job]:
    """A free linear layer and geotorch's symmetric one."""
    import geotorch  # pyright: ignore[reportMissingImports]
    import torch  # pyright: ignore[reportMissingImports]

    layer = torch.nn.Linear(SIZE, SIZE, bias=False)
    geotorch.symmetric(layer, "weight")
    return {"torch dense": _job(torch.nn.Linear(SIZE, SIZE, bias=False)), "geotorch symmetric": _job(layer)}


def orthogonal_jobs() -> dict[str, Job]:
    """A free layer, and singular value layers of two of torch's orthogonal matrices each, by each of torch's three maps."""
    import torch  # pyright: ignore[reportMissingImports]
    from torch.nn.utils.parametrizations import orthogonal  # pyright: ignore[reportMissingImports]

    class Layer(torch.nn.Module):
        def __init__(self, orthogonal_map: str):
            super().__init__()
            self.left, self.right = (
                orthogonal(torch.nn.Linear(SIZE, SIZE, bias=False), orthogonal_map=orthogonal_map) for _ in range(2)
            )
            self.sigma = torch.nn.Parameter(torch.ones(SIZE))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.left(self.sigma * self.right(x))

    return {
        "torch dense": _job(torch.nn.Linear(SIZE, SIZE, bias=False)),
        "torch orthogonal (default)": _job(Layer("matrix_exp")),
        "torch orthogonal (cayley)": _job(Layer("cayley")),
        "torch orthogonal (householder)": _job(Layer("householder")),
    }


def _job(layer) -> Job:
    import torch  # pyright: ignore[reportMissingImports]

    x = torch.randn(BATCH, SIZE, requires_grad=True)
    cotangent = torch.randn(BATCH, SIZE)

    def call() -> None:
        layer.zero_grad()
        x.grad = None
        (layer(x) * cotangent).sum().backward()

    return call

"""Says what is missing if torch is not installed."""

from parametra.core.errors import UsageError

try:
    import torch  # pyright: ignore[reportMissingImports]
except ModuleNotFoundError:
    raise UsageError('parametra.torch needs torch 2.6 or newer. Remedy: pip install "parametra[torch]".') from None

TORCH_VERSION: str = torch.__version__

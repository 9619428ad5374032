"""A trained network for other programs: StableHLO through jax.export, ONNX through the extra `onnx`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import export

from parametra.core.errors import UsageError
from parametra.core.files import atomic_path

Function = Callable[[Any], Any]  # (batch, inputs) -> (batch, outputs), float32
OPSET = 23


def export_stablehlo(function: Function, inputs: int, outputs: int, path: Path) -> None:
    """Write `function` for any batch size, for CPU and CUDA alike; `jax.export.deserialize` reads it, gradients included.

    Args:
        function: (batch, inputs) -> (batch, outputs), float32.
        inputs: number of inputs.
        outputs: number of outputs.
        path: the file to write.

    Raises:
        UsageError: the function gives another shape.
        DataError: no space or no permission.
    """
    (batch,) = export.symbolic_shape("batch")
    shape = jax.ShapeDtypeStruct((batch, inputs), jnp.float32)
    # a method of a module with arrays has no hash, which jit asks for
    exported = export.export(jax.jit(lambda x: function(x)), platforms=("cpu", "cuda"))(shape)
    _check_outputs(exported.out_avals, outputs)
    blob = exported.serialize(vjp_order=1)
    with atomic_path(path) as temporary:
        temporary.write_bytes(blob)


def load_stablehlo(path: Path) -> Function:
    """The function in a file of `export_stablehlo`; it needs jax and nothing of ours."""
    return export.deserialize(bytearray(path.read_bytes())).call


def export_onnx(function: Function, inputs: int, outputs: int, path: Path) -> None:
    """Write `function` as ONNX with a free batch dimension; arguments and errors as in `export_stablehlo`.

    Raises:
        UsageError: the extra `onnx` is not installed.
    """
    try:
        import onnx  # pyright: ignore[reportMissingImports]
        from jax2onnx import to_onnx  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UsageError('ONNX export needs an extra. Remedy: pip install "parametra[onnx]", or uv sync --extra onnx.') from None
    _check_outputs((jax.eval_shape(function, jax.ShapeDtypeStruct((1, inputs), jnp.float32)),), outputs)
    model = to_onnx(function, inputs=[("batch", inputs)], opset=OPSET)
    with atomic_path(path) as temporary:
        onnx.save_model(model, str(temporary))


def _check_outputs(shapes: Any, outputs: int) -> None:
    if len(shapes) != 1 or shapes[0].ndim != 2 or shapes[0].shape[1] != outputs:
        raise UsageError(f"The network gives {shapes}, not (batch, {outputs}). Remedy: a header that matches the file.")

"""From the trace of a function to Fortran array statements.

Every array of the trace becomes a Fortran array of rank one, in the order of its elements. What does not depend on the input is
computed here and written as a constant. Data movement (slices, transposes, gathers, concatenations) is one index list, found by
letting the operation itself move the numbers 1, 2, 3, ...
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from parametra.core.errors import UsageError

BINARY = {"add": "{} + {}", "add_any": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "{} / {}", "max": "max({}, {})",
          "min": "min({}, {})", "pow": "{} ** {}", "gt": "{} > {}", "ge": "{} >= {}", "lt": "{} < {}", "le": "{} <= {}",
          "eq": "{} == {}", "ne": "{} /= {}", "and": "{} .and. {}", "or": "{} .or. {}"}  # fmt: skip
UNARY = {"neg": "-{}", "exp": "exp({})", "log": "log({})", "log1p": "log(1.0_sp + {})", "expm1": "exp({}) - 1.0_sp",
         "tanh": "tanh({})", "sqrt": "sqrt({})", "rsqrt": "1.0_sp / sqrt({})", "abs": "abs({})", "square": "{0} * {0}",
         "logistic": "1.0_sp / (1.0_sp + exp(-{}))", "erf": "erf({})", "sin": "sin({})", "cos": "cos({})", "copy": "{}",
         "sign": "sign(1.0_sp, {0}) * merge(0.0_sp, 1.0_sp, {0} == 0.0_sp)", "not": ".not. {}", "stop_gradient": "{}",
         "copy_p": "{}", "optimization_barrier": "{}"}  # fmt: skip
MOVES = {"broadcast_in_dim", "reshape", "squeeze", "expand_dims", "slice", "transpose", "rev", "concatenate", "pad", "gather",
         "dynamic_slice", "dynamic_update_slice", "scatter", "split", "stack"}  # fmt: skip
REDUCTIONS = {"reduce_sum": "sum", "reduce_max": "maxval", "reduce_min": "minval", "reduce_prod": "product"}
LINEAR = {"cumsum"}  # written as a constant matrix


@dataclass(frozen=True)
class Name:
    """An array that the Fortran routine computes: its name, shape and type."""

    text: str
    shape: tuple[int, ...]
    dtype: Any


@dataclass
class Statements:
    """The routine so far.

    Attributes:
        constants: module arrays by name.
        variables: local arrays by name: Fortran type and size.
        lines: the statements.
    """

    constants: dict[str, np.ndarray] = field(default_factory=dict)
    variables: dict[str, tuple[str, int]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def translate(self, closed: Any, argument: str) -> str:
        """Add the statements of a traced function of one vector; the name that holds its result."""
        (aval,) = closed.in_avals
        (result,) = self._inline(closed.jaxpr, closed.consts, [Name(argument, aval.shape, aval.dtype)])
        return self._operand(result, result.shape)

    def _inline(self, jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
        known = dict(zip(jaxpr.constvars, consts, strict=True))
        known |= dict(zip(jaxpr.invars, arguments, strict=True))
        for equation in jaxpr.eqns:
            values = [variable.val if hasattr(variable, "val") else known[variable] for variable in equation.invars]
            known |= zip(equation.outvars, self._apply(equation, values), strict=True)
        return [variable.val if hasattr(variable, "val") else known[variable] for variable in jaxpr.outvars]

    def _apply(self, equation: Any, values: list[Any]) -> list[Any]:
        name, params, out = equation.primitive.name, equation.params, equation.outvars[0].aval
        inner = next((params[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr") if hasattr(params.get(key), "eqns")), None)
        if inner is not None and name not in ("scan", "while", "cond"):
            return self._inline(getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), values)
        if not any(isinstance(value, Name) for value in values):
            found = equation.primitive.bind(*map(jnp.asarray, values), **params)
            return list(found) if equation.primitive.multiple_results else [found]
        if name in MOVES:
            return self._move(equation, values)
        if name in BINARY:
            return [self._let(BINARY[name].format(*(self._bracketed(value, out.shape) for value in values)), out)]
        if name in UNARY:
            return [self._let(UNARY[name].format(self._bracketed(values[0], out.shape)), out)]
        if name in REDUCTIONS:
            return [self._reduce(REDUCTIONS[name], values[0], [int(axis) for axis in params["axes"]], out)]
        if name in LINEAR:
            basis = jnp.eye(prod(out.shape), dtype=out.dtype).reshape(-1, *out.shape)
            matrix = jax.vmap(lambda x: equation.primitive.bind(x, **params))(basis).reshape(len(basis), -1)
            return [self._let(f"matmul({self._constant(np.asarray(matrix).T)}, {values[0].text})", out)]
        special = getattr(self, f"_{name}", None)
        if special is None:
            raise _refusal(name)
        return [special(values, params, out)]

    def _select_n(self, values: list[Any], params: Any, out: Any) -> Name:
        which, if_false, if_true = (self._operand(value, out.shape) for value in values)
        return self._let(f"merge({if_true}, {if_false}, {which})", out)

    def _clamp(self, values: list[Any], params: Any, out: Any) -> Name:
        low, x, high = (self._operand(value, out.shape) for value in values)
        return self._let(f"max({low}, min({high}, {x}))", out)

    def _integer_pow(self, values: list[Any], params: Any, out: Any) -> Name:
        return self._let(f"{self._bracketed(values[0], out.shape)} ** ({params['y']})", out)

    def _convert_element_type(self, values: list[Any], params: Any, out: Any) -> Name:
        (value,) = values
        if value.dtype == out.dtype:
            return value
        if value.dtype == bool and out.dtype == np.float32:
            return self._let(f"merge(1.0_sp, 0.0_sp, {self._operand(value, out.shape)})", out)
        raise _refusal(f"conversion of {value.dtype} to {out.dtype}")

    def _dot_general(self, values: list[Any], params: Any, out: Any) -> Name:
        (contract, batch) = params["dimension_numbers"]
        if any(batch):
            raise _refusal("dot_general with batch dimensions")
        # row-major (free, contracted) is the Fortran array (contracted, free)
        left, right = (self._contracted_last(value, axes) for value, axes in zip(values, contract, strict=True))
        rows, columns = left[1], right[1]
        product = f"matmul({right[0]}, {left[0]})" if rows == 1 else f"reshape(matmul({right[0]}, {left[2]}), [{rows * columns}])"
        if rows != 1 and columns == 1:
            product = f"matmul({left[0]}, {right[2]})"
        elif rows == 1:
            product = f"matmul({right[0]}, {left[2]})"
        return self._let(product, out)

    def _contracted_last(self, value: Any, axes: Sequence[int]) -> tuple[str, int, str]:
        """The operand as the matrix (free, contracted), the count of free elements, and turned: a vector where that is 1."""
        order = [*(axis for axis in range(len(value.shape)) if axis not in axes), *axes]
        size = prod(value.shape[axis] for axis in axes)
        free = prod(value.shape) // size
        if not isinstance(value, Name):
            matrix = np.transpose(np.asarray(value), order).reshape(free, size)
            turned = self._constant(matrix[0]) if free == 1 else ""
            return (self._constant(matrix), free, turned or f"transpose({self._constant(matrix)})")
        indices = np.arange(prod(value.shape)).reshape(value.shape).transpose(order).ravel()
        vector = self._indexed(value.text, indices, prod(value.shape))
        turned = f"reshape({vector}, [{size}, {free}])"
        return f"transpose({turned})", free, vector if free == 1 else turned

    def _move(self, equation: Any, values: list[Any]) -> list[Any]:
        """Let the operation move element numbers; integer constants (indices) stay what they are."""
        sources, numbered, total = [], [], 0
        for value in values:
            if not isinstance(value, Name) and np.asarray(value).dtype.kind in "iub":
                numbered.append(jnp.asarray(value))
                continue
            count = prod(np.shape(value) if not isinstance(value, Name) else value.shape)
            shape = value.shape if isinstance(value, Name) else np.shape(value)
            numbered.append(jnp.arange(total, total + count, dtype=jnp.int32).reshape(shape))
            sources.append(value)
            total += count
        params = dict(equation.params) | ({"fill_value": -1} if "fill_value" in equation.params else {})
        found = equation.primitive.bind(*numbered, **params)
        moved = found if equation.primitive.multiple_results else [found]
        if len(sources) == 1:
            whole = sources[0].text
        else:
            kind = next(value.dtype for value in sources if isinstance(value, Name))
            parts = ", ".join(value.text if isinstance(value, Name) else self._vector(value) for value in sources)
            whole = self._let(f"[{parts}]", jax.ShapeDtypeStruct((total,), kind)).text
        return [self._let(self._indexed(whole, np.asarray(one).ravel(), total), variable.aval)
                for one, variable in zip(moved, equation.outvars, strict=True)]  # fmt: skip

    def _indexed(self, name: str, indices: np.ndarray, size: int) -> str:
        if indices.size and (indices.min() < 0 or indices.max() >= size):
            raise _refusal("gather beyond the end of an array")
        if np.array_equal(indices, np.arange(size)):
            return name
        first = int(indices[0]) + 1
        if np.all(indices == indices[0]):
            return f"{name}({first})" if indices.size > 1 else f"{name}({first}:{first})"
        if np.all(np.diff(indices) == 1):
            return f"{name}({first}:{first + indices.size - 1})"
        return f"{name}({self._constant(indices.astype(np.int32) + 1)})"

    def _reduce(self, function: str, value: Name, axes: Sequence[int], out: Any) -> Name:
        order = [*(axis for axis in range(len(value.shape)) if axis not in axes), *axes]
        indices = np.arange(prod(value.shape)).reshape(value.shape).transpose(order).ravel()
        vector = self._indexed(value.text, indices, prod(value.shape))
        kept = prod(out.shape)
        return self._let(f"{function}(reshape({vector}, [{indices.size // kept}, {kept}]), dim=1)", out)

    def _let(self, expression: str, aval: Any) -> Name:
        name = f"v{len(self.variables) + 1}"
        kind = {"f": "real(sp)", "b": "logical"}.get(np.dtype(aval.dtype).kind)
        if kind is None or np.dtype(aval.dtype).itemsize > 4:
            raise _refusal(f"arithmetic in {aval.dtype}")
        self.variables[name] = (kind, prod(aval.shape))
        self.lines.append(f"{name} = {expression}")
        return Name(name, aval.shape, np.dtype(aval.dtype))

    def _operand(self, value: Any, shape: tuple[int, ...]) -> str:
        """The value inside an elementwise expression of this shape: one number as a scalar, an axis of length 1 repeated."""
        if not isinstance(value, Name):
            array = np.asarray(value)
            if array.dtype.kind == "b":
                raise _refusal("a constant mask")
            uniform = np.all(array == array.flat[0])
            return literal(array.flat[0]) if uniform else self._vector(np.broadcast_to(array, shape))
        size = prod(value.shape)
        if size == 1:
            return f"{value.text}(1)"
        if value.shape == shape:
            return value.text
        return self._indexed(value.text, np.broadcast_to(np.arange(size).reshape(value.shape), shape).ravel(), size)

    def _bracketed(self, value: Any, shape: tuple[int, ...]) -> str:
        text = self._operand(value, shape)
        return f"({text})" if text.startswith("-") else text

    def _vector(self, value: Any) -> str:
        return self._constant(np.asarray(value).ravel())

    def _constant(self, array: np.ndarray) -> str:
        array = np.asarray(array, np.int32 if array.dtype.kind == "i" else np.float32)
        for name, known in self.constants.items():
            if known.shape == array.shape and known.dtype == array.dtype and np.array_equal(known, array):
                return name
        name = f"c{len(self.constants) + 1}"
        self.constants[name] = array
        return name


def literal(value: Any) -> str:
    """A number as Fortran reads it back exactly: nine significant digits fix a float32."""
    if isinstance(value, np.integer):
        return str(int(value))
    if not np.isfinite(value):
        raise UsageError("A weight of the network is not finite. Likely cause: a training that diverged. Remedy: another seed.")
    return f"{float(value):.8e}_sp"


def _refusal(what: str) -> UsageError:
    return UsageError(
        f"No Fortran form for {what}. Likely cause: a network with loops or sorting. Remedy: --to stablehlo or onnx."
    )

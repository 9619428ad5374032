"""What a figure cannot do without, asked for by name before it is computed."""

from collections.abc import Iterable

import xarray as xr

from parametra.core.errors import DataError


def require(dataset: xr.Dataset, names: Iterable[str | tuple[str, ...]]) -> None:
    """Refuse a dataset that lacks one of `names`; of a tuple any one will do.

    Raises:
        DataError: naming all that is missing.
    """
    choices = [(name,) if isinstance(name, str) else name for name in names]
    missing = [" or ".join(choice) for choice in choices if not any(name in dataset for name in choice)]
    if missing:
        raise DataError(
            f"The dataset holds no {', no '.join(missing)}. Likely cause: it was not recorded, or has another name. "
            "Remedy: record it, or read a foreign dataset with `from_cf`."
        )

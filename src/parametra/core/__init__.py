"""The words of the language: errors, strict configuration, physical constants, files, progress.

`errors`, `config`, `constants`, `files` and `progress` need no jax, so that help, lists and refusals answer at once.
"""

from parametra.core.errors import DataError as DataError
from parametra.core.errors import ParametraError as ParametraError
from parametra.core.errors import PhysicalStopError as PhysicalStopError
from parametra.core.errors import UsageError as UsageError

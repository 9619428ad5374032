"""The page and any laptop can use the diagnostics."""

import subprocess
import sys


def test_importing_the_diagnostics_does_not_import_jax():
    code = "import sys, parametra.climate.diagnostics; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Column schemes: what may close an atmosphere. Each is one file: `multiscale`, `emulated`."""

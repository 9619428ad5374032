"""From a run folder to a file that another program can read."""

from pathlib import Path

from parametra.core.errors import DataError, UsageError
from parametra.store.runfolder import RunFolder
from parametra.studies.registry import find

ENDINGS = {"stablehlo": ".stablehlo", "onnx": ".onnx", "fortran": ".f90"}


def export_network(path: Path, form: str, network: str | None = None, out: Path | None = None) -> Path:
    """Write the network `network` of the run folder `path` as "stablehlo", "onnx" or "fortran"; where it was written.

    Without a name it is the network that the run selected (event "selected" of run.jsonl), or the only one there is.

    Raises:
        UsageError: an unknown network, or several to choose from, or an extra that is not installed.
        DataError: no run in the folder, or a damaged network file.
    """
    from parametra.store.exports import export_onnx, export_stablehlo
    from parametra.store.fortran import export_fortran

    folder = RunFolder.read(path)
    study = find(folder.study)
    if study.network_function is None:
        raise UsageError(f"Study {study.name} has no network to export. Remedy: a run of another study.")
    name = _choose(folder, network)
    function, inputs, outputs = study.network_function(folder.network(name))
    target = out or folder.path / "exports" / f"{name}{ENDINGS[form]}"
    writers = {"stablehlo": export_stablehlo, "onnx": export_onnx, "fortran": export_fortran}
    writers[form](function, inputs, outputs, target)
    return target


def _choose(folder: RunFolder, network: str | None) -> str:
    known = sorted(file.stem for file in (folder.path / "networks").glob("*.safetensors"))
    if not known:
        raise DataError(f"{folder.path} holds no network yet. Remedy: let `parametra run` reach the end of training.")
    if network is not None:
        if network not in known:
            raise UsageError(f'{folder.path} has no network "{network}". Known networks: {", ".join(known)}.')
        return network
    selected = [event["network"] for event in folder.events("selected")]
    if selected and selected[-1] in known:
        return selected[-1]
    if len(known) > 1:
        raise UsageError(f"{folder.path} holds {len(known)} networks. Remedy: --network with one of {', '.join(known)}.")
    return known[0]

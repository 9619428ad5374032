"""Fields on disk: a round trip is exact, an append is all or nothing, damage is named."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr

from parametra.core.errors import DataError, UsageError
from parametra.store.fields import append_fields, open_fields, truncate_fields, write_fields

LEVEL = [0.1, 0.4, 0.9]


def block(start, steps=4):
    """Values that say which step they belong to."""
    time_axis = np.arange(start, start + steps) / 48.0
    data = np.arange(start, start + steps)[:, None, None] + np.arange(6.0).reshape(1, 2, 3) / 10
    return xr.Dataset(
        {"air_temperature": (("time", "latitude", "level"), data), "precipitation_flux": (("time", "latitude"), data[:, :, 0])},
        coords={"time": time_axis, "latitude": [-30.0, 30.0], "level": LEVEL},
    )


def assert_holds(dataset, steps):
    expected = block(0, steps) if steps else block(0).isel(time=slice(0, 0))
    np.testing.assert_array_equal(dataset.time, expected.time)
    for name in expected.data_vars:
        np.testing.assert_array_equal(dataset[name].values, expected[name].values.astype(np.float32))


def test_a_whole_write_keeps_values_and_names_units(tmp_path):
    write_fields(tmp_path / "a.zarr", block(0))
    dataset = open_fields(tmp_path / "a.zarr")
    assert_holds(dataset, 4)
    assert dataset.air_temperature.dtype == np.float32
    assert dataset.air_temperature.attrs["units"] == "K"
    assert dataset.level.attrs["positive"] == "down"
    assert dataset.attrs["Conventions"] == "CF-1.11"


def test_any_tool_can_read_the_store(tmp_path):
    append_fields(tmp_path / "a.zarr", block(0))
    append_fields(tmp_path / "a.zarr", block(4))
    dataset = xr.open_zarr(tmp_path / "a.zarr", consolidated=False, chunks=None)
    assert dataset.air_temperature.shape == (8, 2, 3)
    assert str(dataset.time.values[0]) == "0001-01-01 00:00:00"


def test_text_coordinates_come_back_as_text(tmp_path):
    write_fields(tmp_path / "a.zarr", xr.Dataset({"x": ("run", [1.0, np.nan])}, coords={"run": ["truth", "network"]}))
    dataset = open_fields(tmp_path / "a.zarr")
    assert list(dataset.run.values) == ["truth", "network"]
    assert float(dataset.x.sel(run="truth")) == 1.0


def test_a_rewrite_replaces_everything(tmp_path):
    write_fields(tmp_path / "a.zarr", block(0))
    write_fields(tmp_path / "a.zarr", block(0, 2)[["precipitation_flux"]])
    dataset = open_fields(tmp_path / "a.zarr")
    assert list(dataset.data_vars) == ["precipitation_flux"]
    assert dataset.sizes["time"] == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zarr"]


@pytest.mark.parametrize("sizes", [(4, 4, 4), (4, 3, 5), (2, 7, 1)])
def test_appends_are_a_concatenation_whatever_the_block_sizes(tmp_path, sizes):
    start = 0
    for size in sizes:
        append_fields(tmp_path / "a.zarr", block(start, size))
        start += size
    assert_holds(open_fields(tmp_path / "a.zarr"), start)


@pytest.mark.parametrize("length", [0, 1, 4, 6, 8])
def test_truncate_then_append_is_as_if_the_rest_had_never_been(tmp_path, length):
    path = tmp_path / "a.zarr"
    append_fields(path, block(0))
    append_fields(path, block(4))
    truncate_fields(path, length)
    assert path.exists() == (length > 0)
    append_fields(path, block(length, 5))
    assert_holds(open_fields(path), length + 5)


def test_truncate_refuses_a_store_that_is_too_short(tmp_path):
    append_fields(tmp_path / "a.zarr", block(0))
    with pytest.raises(DataError, match="holds 4 entries along time where 6.*Remedy"):
        truncate_fields(tmp_path / "a.zarr", 6)


def test_truncate_refuses_an_absent_store_of_which_something_is_needed(tmp_path):
    with pytest.raises(DataError, match="is absent where 6 entries along time are needed.*Likely cause.*Remedy"):
        truncate_fields(tmp_path / "a.zarr", 6)
    truncate_fields(tmp_path / "a.zarr", 0)
    truncate_fields(tmp_path / "nowhere" / "a.zarr", 0)


def test_other_variables_and_shapes_are_refused_and_change_nothing(tmp_path):
    path = tmp_path / "a.zarr"
    append_fields(path, block(0))
    with pytest.raises(UsageError, match="precipitation_flux is only in the store"):
        append_fields(path, block(4)[["air_temperature"]])
    with pytest.raises(UsageError, match="the store needs"):
        append_fields(path, block(4).isel(latitude=[0]))
    assert_holds(open_fields(path), 4)
    append_fields(path, block(4))
    assert_holds(open_fields(path), 8)


def damage_absent(path):
    os.rename(path, path.with_name("elsewhere"))  # noqa: PTH104


def damage_truncated_chunk(path):
    chunk = path / "air_temperature" / "c" / "1" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-7])


def damage_missing_chunk(path):
    (path / "precipitation_flux" / "c" / "0" / "0").unlink()


def damage_metadata(path):
    (path / "zarr.json").write_text('{"zarr_format": 3, "node_')


def damage_array_metadata(path):
    (path / "air_temperature" / "zarr.json").write_text('{"shape": [')


def damage_missing_array(path):
    (path / "air_temperature" / "zarr.json").unlink()


def damage_short_array(path):
    metadata = path / "air_temperature" / "zarr.json"
    table = json.loads(metadata.read_text())
    table["shape"][0] = 3
    metadata.write_text(json.dumps(table))


def damage_not_zarr(path):
    (path / "zarr.json").unlink()


DAMAGES = [value for name, value in list(globals().items()) if name.startswith("damage_")]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_one_sentence_with_cause_and_remedy(tmp_path, damage):
    path = tmp_path / "a.zarr"
    append_fields(path, block(0))
    append_fields(path, block(4))
    damage(path)
    with pytest.raises(DataError, match="Likely cause.*Remedy"):
        open_fields(path)
    if damage is not damage_absent:
        with pytest.raises(DataError, match="Likely cause.*Remedy"):
            append_fields(path, block(8))


WRITER = """
import sys
sys.path.insert(0, {tests!r})
from test_fields import block
from parametra.store.fields import append_fields, open_fields, truncate_fields
from pathlib import Path
path = Path({path!r})
start = open_fields(path).sizes["time"] if path.exists() else 0
while True:
    append_fields(path, block(start, 3))
    start += 3
    print(start, flush=True)
"""


def test_kill_9_leaves_a_whole_prefix_and_the_next_process_goes_on(tmp_path):
    path = tmp_path / "a.zarr"
    code = WRITER.format(tests=os.path.dirname(__file__), path=str(path))  # noqa: PTH120
    length = 0
    for attempt in range(3):
        writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        assert int(writer.stdout.readline()) == length + 3
        time.sleep(0.02 + 0.037 * attempt)
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().split()
        writer.wait()
        writer.stdout.close()
        announced = int(rest[-1]) if rest else length + 3
        dataset = open_fields(path)
        length = dataset.sizes["time"]
        assert announced <= length <= announced + 3
        assert length % 3 == 0
        assert_holds(dataset, length)


def test_a_store_left_uneven_by_a_kill_reads_at_its_committed_length(tmp_path):
    path = tmp_path / "a.zarr"
    append_fields(path, block(0))
    append_fields(path, block(4))
    metadata = path / "zarr.json"
    table = json.loads(metadata.read_text())
    table["attributes"]["committed_length"] = 4
    metadata.write_text(json.dumps(table))
    uneven = path / "precipitation_flux" / "zarr.json"
    table = json.loads(uneven.read_text())
    table["shape"][0] = 4
    uneven.write_text(json.dumps(table))
    assert_holds(open_fields(path), 4)
    append_fields(path, block(4, 2))
    assert_holds(open_fields(path), 6)

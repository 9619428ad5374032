"""The page builds from whatever a run folder holds, is one small file, and says what is missing."""

import re
import shutil
import subprocess
import sys

import pytest

from parametra.core.errors import DataError
from parametra.report import build
from parametra.report.section import Table
from parametra.store.runfolder import RunFolder

SECTIONS = [
    *("world", "comparison", "chance", "rain", "variability", "waves", "energy", "skill", "ceiling", "drift", "budgets", "speed"),
    *("configuration", "limits"),
]


def _text(page) -> str:
    return page.read_text(encoding="utf-8")


def test_a_whole_run_has_every_section_and_stays_small(whole):
    text = _text(whole)
    assert whole.stat().st_size < 2_500_000
    assert re.findall(r'<section id="(\w+)"', text) == ["figures", *SECTIONS]
    assert "Not there" not in text
    assert text.count("<svg") > 30


def test_the_page_asks_for_nothing(whole):
    text = re.sub(r'xmlns(:\w+)?="[^"]*"', "", _text(whole))
    assert "http" not in text
    assert not re.search(r'(src|href)="(?!#|data:)', text)
    assert not re.search(r"url\((?!#)", text)


def test_ids_are_unique_where_they_are_referred_to(whole):
    text = _text(whole)
    ids = set(re.findall(r'\bid="([^"]+)"', text))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', text)) <= ids


def test_the_headline_says_verdict_and_numbers(whole):
    head = _text(whole).split("</header>")[0]
    assert "The network keeps the climate of the truth; 2 of 23 targets are missed." in head
    assert "eddy kinetic energy" in head
    assert [value in head for value in ("345×", "1.31", "0.987", "360")] == [True] * 4


def test_the_same_folder_gives_the_same_page(made_up, tmp_path):
    path = made_up.make_run(tmp_path / "run", fields=False)
    assert _text(build(path)) == _text(build(path))


def test_an_empty_run_says_what_is_not_there_and_why(made_up, tmp_path):
    path = made_up.make_run(tmp_path / "run", fields=False, metrics=False, finished=False)
    text = _text(build(path))
    assert re.findall(r'<section id="(\w+)"', text) == SECTIONS
    assert text.count("no stage has written fields/") >= 5
    assert "finished so far: spin-up, truth" in text


@pytest.mark.parametrize("kept", ["zonal", "maps", "skill", "ceiling", "drift", "budgets"])
def test_any_one_store_alone_makes_a_page(made_up, tmp_path, kept):
    from parametra.store.fields import write_fields

    path = made_up.make_run(tmp_path / "run", fields=False, metrics=False)
    write_fields(RunFolder.read(path).fields(kept), getattr(made_up, kept)())
    text = _text(build(path))
    assert "<svg" in text or "data-maps" in text


def test_a_damaged_store_is_reported_not_fatal(made_up, tmp_path):
    from parametra.store.fields import write_fields

    path = made_up.make_run(tmp_path / "run", fields=False)
    store = RunFolder.read(path).fields("ceiling")
    write_fields(store, made_up.ceiling())
    shutil.rmtree(store / "growth_precipitation_flux" / "c")
    text = _text(build(path))
    assert "is damaged" in text
    assert "cannot be read" in text


def test_a_physical_stop_stands_on_top(made_up, tmp_path):
    path = made_up.make_run(tmp_path / "run", fields=False, finished=False)
    sentence = "temperature left [150, 350] with 412 in column 17, level 19 at day 14.25. Likely cause: too long a step."
    RunFolder.read(path).log("physical_stop", message=sentence, name="temperature", day=14.25, column=17, level=19)
    head = _text(build(path)).split("</header>")[0]
    assert "The run stopped at day 14.25 in column 17" in head
    assert sentence in head
    RunFolder.read(path).log("start")  # it goes on: the old stop is history
    assert "The run stopped" not in _text(build(path))


def test_a_null_closure_that_stopped_is_named_beside_the_drift(whole, made_up):
    drift = _text(whole).split('<section id="drift"')[1].split("</section>")[0]
    assert f"linear regression stopped: {made_up.STOP}" in drift
    assert "Run for fewer days: 5x128-1 180" in drift


def test_a_conventional_scheme_stands_beside_the_network_and_its_halves(whole):
    text = _text(whole)
    part = {name: text.split(f'<section id="{name}"')[1].split("</section>")[0] for name in SECTIONS}
    assert "Heating, conventional scheme" in part["comparison"]
    assert "conventional scheme − truth" in part["comparison"]
    assert "second − first half" in part["comparison"]
    assert "conventional scheme / split half" in part["chance"]
    assert "conventional scheme, symmetric" in part["waves"]
    assert "Heating, std, conventional scheme" in part["variability"]


def test_every_figure_says_whether_its_sample_is_long_enough(whole):
    text = _text(whole)
    words = {
        "comparison": "Long enough",
        "rain": "Barely",
        "variability": "Long enough",
        "waves": "Too short",
        "energy": "Long enough",
    }
    for name, word in words.items():
        part = text.split(f'<section id="{name}"')[1].split("</section>")[0]
        assert f"Is the sample long enough? {word}" in part, name
    assert "single steps were not recorded: conventional scheme" in text
    assert "No wave is claimed" in text


def test_text_of_the_user_is_escaped(made_up, tmp_path):
    path = made_up.make_run(tmp_path / "run", fields=False, config={"note": "<script>alert(1)</script>"})
    text = _text(build(path))
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert text.count("<script>") == 1


def test_watching_refreshes_and_the_plain_page_does_not(made_up, tmp_path):
    path = made_up.make_run(tmp_path / "run", fields=False)
    assert 'http-equiv="refresh" content="30' in _text(build(path, refresh_seconds=30))
    assert 'http-equiv="refresh"' not in _text(build(path))


def test_another_study_gets_the_common_sections(tmp_path):
    folder = RunFolder.open(tmp_path / "run", "elsewhere", "mini", {"seed": 0})
    assert re.findall(r'<section id="(\w+)"', _text(build(folder.path))) == ["speed", "configuration"]


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no run"):
        build(tmp_path)


def test_building_a_page_never_imports_jax(made_up, tmp_path):
    path = made_up.make_run(tmp_path / "run", fields=False)
    code = f"import sys, pathlib, parametra.report as r; r.build(pathlib.Path({str(path)!r})); sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_column_of_sentences_is_set_like_text():
    rows = (("a", "1.0 K", "the truth's mean errs by about a tenth of it"), ("b", "2.0 K", "short"))
    assert Table(("score", "value", "because"), rows).styles == ("name", "num", "text")
    assert Table(("score", "value"), ()).styles == ("name", "num")

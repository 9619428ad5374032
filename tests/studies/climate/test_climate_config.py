"""Configuration of the climate study: every preset is valid, stretches are disjoint, laws between fields are kept."""

import pytest

from parametra.core.errors import UsageError
from parametra.studies.climate import STUDY


@pytest.mark.parametrize("preset", ["smoke", "mini", "warming", "laptop", "desk", "t42"])
def test_presets_resolve_and_their_stretches_do_not_overlap(preset):
    truth = STUDY.resolve(preset).truth  # pyright: ignore[reportAttributeAccessIssue]
    assert truth.spin_up_days < truth.selection_start < truth.scoring_start < truth.days
    assert truth.days == truth.scoring_start + truth.scoring_days
    assert STUDY.about(preset).minutes > 0


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("crm.time_step=55.0", "not a multiple"),
        ("ceiling.columns=100000", "more than the host's columns"),
        ("coupled.candidate_days=1000.0", "selection_from < selection_to"),
        ("coupled.keeps_from=500.0", "keeps_from"),
        ("truth.chunk_hours=0.3", "chunk_hours"),
        ("ceiling.settle_hours=10000.0", "twins"),
        ("seed=-1", "seed"),
        ("host.time_stp=1.0", "time_step"),
        ("crm.columns=8.5", "crm.columns"),
        ("optics.surface_albedo=nan", "surface_albedo"),
        ("host.truncation=40", "grid"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(override, words):
    with pytest.raises(UsageError, match=words):
        STUDY.resolve("mini", [override])


@pytest.mark.parametrize(("of", "seeds"), [("nobody", 1), ("pair", 1), ("single", 3)])
def test_committees_need_as_many_single_networks_above_them(of, seeds):
    networks = (
        "[{name='single', seeds=4}, {name='pair', seeds=2, members=2, committee_of='single'}, "
        f"{{name='judged', seeds={seeds}, members=2, committee_of='{of}'}}]"
    )
    with pytest.raises(UsageError, match="judged are . committees of 2"):
        STUDY.resolve("mini", [f"networks={networks}"])

"""Configuration of the climate study: every preset is valid, stretches are disjoint, laws between fields are kept."""

import pytest

from parametra.core.errors import UsageError
from parametra.studies.climate import STUDY


@pytest.mark.parametrize("preset", STUDY.presets())
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
        ("coupled.selections=99", "selections is 99, more than the 5 networks"),
        ("truth.scoring_days=0.5", "less than the day"),
        ("truth.selection_days=0.001", "selection_days has 0 steps"),
        ("networks=[{name='a', emulator={rollout={steps=150}}}]", "selection_days has 144 steps.*a rollout of 150"),
        ("networks=[{name='a', emulator={dry_levels=20}}]", "there are 20 levels"),
        ("worlds=[{name='warm', scoring_days=0.01}]", "scored on less than two steps"),
        ("worlds=[{name='home'}]", "cannot be named home"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(override, words):
    with pytest.raises(UsageError, match=words):
        STUDY.resolve("mini", [override])


@pytest.mark.parametrize(
    ("override", "remedy"),
    [
        ("seed=-1", "--set seed=VALUE with"),
        ("networks=[{name='a', seeds=0}]", r"--set networks='\[...\]' with all its entries"),
        ("coupled.selections=99", "--set another value of one of the keys that this names"),
        ("host.surface=3", "--set another value of one of the keys"),
    ],
)
def test_the_remedy_is_something_that_can_be_typed(override, remedy):
    with pytest.raises(UsageError, match=remedy):
        STUDY.resolve("mini", [override])


@pytest.mark.parametrize(("of", "seeds"), [("nobody", 1), ("pair", 1), ("single", 3)])
def test_committees_need_as_many_single_networks_above_them(of, seeds):
    networks = (
        "[{name='single', seeds=4}, {name='pair', seeds=2, members=2, committee_of='single'}, "
        f"{{name='judged', seeds={seeds}, members=2, committee_of='{of}'}}]"
    )
    with pytest.raises(UsageError, match="judged are . committees of 2"):
        STUDY.resolve("mini", [f"networks={networks}"])

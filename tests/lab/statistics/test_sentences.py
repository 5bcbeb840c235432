"""The verdict in words, for every case a comparison can end in."""

import pytest

from torchnoise.lab.results import Arm, Chosen, Clean, Curve, DataFacts, Difference, Noise, Rung, Verdict
from torchnoise.lab.statistics import DIVERGED, HELPS, HURTS, UNSEEN, summarise

NONE = Curve(x=[], y=[])
FACTS = DataFacts(
    name="digits", kind="image", said="", doubts=[], classes=["a", "b"], metric="accuracy", shape=[64],
    sizes={"train": 700, "validation": 360, "test": 719}, split_by="at random", fingerprint="", majority=0.55,
)  # fmt: skip


def clean(test_mean=0.95):
    scores = [test_mean] * 5
    arm = Arm(
        validation=scores, train=scores, test=scores, test_mean=test_mean, rmse=None, train_loss=NONE,
        validation_loss=NONE, validation_score=NONE, figures=None,
    )  # fmt: skip
    return Clean(arm=arm, search_validation=[0.94, 0.95, 0.96, 0.95])


def difference(mean, half, word, share=0.6):
    return Difference(
        mean=mean, low=mean - half, high=mean + half, p=0.5, p_adjusted=0.5, detectable=1.4 * half,
        seeds_share=share, by_seed=[mean] * 5, verdict=word,
    )  # fmt: skip


def noise(name, found, validation=(0.95, 0.96, 0.97, 0.96), edge=None):
    rungs = [Rung(strength=x, validation=list(validation), mean=0.96, diverged=0, kept_for=2) for x in (0.1, 0.2)]
    chosen = Chosen(strength=0.2, plan="", code=[], at_edge=edge)
    return Noise(
        name=name, description="", unit="sigma", by_rule=0.1, advised=None, ladder=rungs,
        chosen=None if found is None else chosen, arm=None, difference=found, sites=[], sample=None,
        verdict=DIVERGED if found is None else found.verdict,
    )  # fmt: skip


def said(found, *others, facts=FACTS, of_clean=None, seeds=5, **more):
    return summarise("first", [noise("first", found, **more), *others], of_clean or clean(), facts, seeds)


def test_it_helps():
    words = said(difference(0.81, 0.5, HELPS))
    assert words.word == HELPS
    assert words.headline == "first helps: +0.81 points of accuracy"
    assert words.sentence == (
        "Validation chose first at sigma 0.2. Trained again on 5 fresh seeds and scored once on 719 test examples, it "
        "changed the result by +0.81 points of accuracy against clean training (95 % interval +0.31 to +1.31): "
        "it helps here."
    )
    assert words.caveats == []
    assert Verdict(**words._asdict()).word == HELPS


def test_it_hurts():
    words = said(difference(-0.81, 0.5, HURTS), validation=(0.94, 0.94, 0.96, 0.95))
    assert words.headline == "Even the best noise on validation, first, hurts: -0.81 points of accuracy"
    assert words.sentence.startswith(
        "No noise did better than clean training on validation; the best of them was first at sigma 0.2."
    )
    assert words.sentence.endswith(": it hurts here.")


def test_nothing_is_seen():
    words = said(difference(0.1, 0.5, UNSEEN))
    assert words.headline == "No difference seen between first and clean training"
    assert words.sentence.endswith(": no difference seen.")
    first, second = words.caveats
    assert first == (
        "That is no proof of no effect: a true difference of 0.70 points is what this comparison finds four times in "
        "five, and smaller ones it mostly misses."
    )
    assert (
        second
        == "More seeds alone would never find one half as large (0.35 points): the 719 test examples are the limit."
    )


def test_more_seeds_would_help():
    found = difference(0.1, 2.0, UNSEEN, share=1.0)
    assert said(found).caveats[1] == "To find one half as large (1.40 points) would take about 13 seeds (--seeds 13)."


def test_very_many_seeds_are_no_advice_where_test_examples_would_help():
    found = difference(0.1, 2.0, UNSEEN, share=0.65)
    assert said(found).caveats[1] == (
        "One half as large (1.40 points) would take about 73 seeds; more test examples than these 719 would help more."
    )


@pytest.mark.parametrize(("edge", "start"), [("strongest", "The strongest that"), ("weakest", "The weakest that")])
def test_the_end_of_the_ladder(edge, start):
    assert said(difference(0.8, 0.5, HELPS), edge=edge).caveats[0].startswith(start)


def test_the_other_noises():
    others = [
        noise("second", difference(1.0, 0.5, HELPS)),
        noise("third", difference(-1.0, 0.5, HURTS)),
        noise("fourth", difference(1.0, 0.5, HELPS)),
        noise("fifth", difference(0.0, 0.5, UNSEEN)),
        noise("sixth", None),
    ]
    assert said(difference(0.8, 0.5, HELPS), *others).caveats == [
        "Of the other 4 noises, corrected for looking at so many: second and fourth help; third hurts.",
        "Training diverged with sixth, of which there is no test score.",
    ]


def test_all_diverged():
    words = summarise(None, [noise("first", None), noise("second", None)], clean(), FACTS, 5)
    assert (words.word, words.headline, words.caveats) == (DIVERGED, "Every noise diverged", [])


def test_only_the_winner_diverged():
    words = summarise(None, [noise("first", None), noise("second", difference(1.0, 0.5, HELPS))], clean(), FACTS, 5)
    assert words.headline == "The noise that validation chose diverged"
    assert "second helps" in words.caveats[0]


def test_a_model_that_learned_nothing():
    """0.58 of 719 is within two standard errors of the commonest class' 0.55."""
    caveat = said(difference(0.8, 0.5, HELPS), of_clean=clean(0.58)).caveats[0]
    assert caveat.startswith(
        "Clean training is right in 58.0 %, hardly better than always naming the commonest class (55.0 %)"
    )
    assert said(difference(0.8, 0.5, HELPS), of_clean=clean(0.6)).caveats == []


def test_nothing_left_to_gain():
    caveat = said(difference(0.1, 0.5, HELPS), of_clean=clean(0.997)).caveats[0]
    assert caveat == "Clean training errs on 2.2 of 719 test examples; little is left to gain."


def test_a_number_is_learned():
    facts = FACTS.model_copy(update={"metric": "R2", "classes": None, "majority": None})
    words = said(difference(0.8, 0.5, HELPS), facts=facts, of_clean=clean(-0.01))
    assert words.headline == "first helps: +0.80 points of R2"
    assert words.caveats[0].startswith("Clean training learned nothing: its R2 of -0.010")
    assert said(difference(0.8, 0.5, HELPS), facts=facts, of_clean=clean(0.4)).caveats == []


@pytest.mark.parametrize(
    ("split", "start"),
    [("by group 'patient'", "The intervals take test examples for independent."), ("by time 'day', the newest for the "
     "test", "The test part is one stretch of time")],
)  # fmt: skip
def test_splits_that_are_not_by_chance(split, start):
    facts = FACTS.model_copy(update={"split_by": split})
    assert said(difference(0.8, 0.5, HELPS), facts=facts).caveats[0].startswith(start)


def test_few_seeds():
    assert "2 seeds say little" in said(difference(0.8, 0.5, HELPS), seeds=2).caveats[0]

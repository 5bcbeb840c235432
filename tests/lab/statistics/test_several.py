"""Several differences at once: Holm's method against its definition, and verdicts that agree with intervals."""

import itertools

import numpy as np
import pytest

from torchnoise.lab.statistics import (
    HELPS,
    HURTS,
    UNSEEN,
    adjusted_differences,
    differences_of,
    family,
    holm,
    paired_difference,
    verdict,
)


def closed(p_values):
    """Holm's method as a closed test, slow: an hypothesis falls if every set of hypotheses that holds it does, a set by
    Bonferroni. The adjusted p-value is the largest over these sets."""
    places = range(len(p_values))
    sets = [s for size in range(1, len(p_values) + 1) for s in itertools.combinations(places, size)]
    of_set = {s: min(1.0, len(s) * min(p_values[i] for i in s)) for s in sets}
    return [max(of_set[s] for s in sets if i in s) for i in places]


@pytest.mark.parametrize("number", range(20))
def test_holm_is_the_closed_test(number):
    p_values = list(np.random.default_rng([31, number]).random(6) ** 3)
    p_values[3] = p_values[1]  # a tie
    assert holm(p_values) == pytest.approx(closed(p_values), rel=1e-12)


def test_holm_of_none_and_one():
    assert holm([]) == []
    assert holm([0.03]) == [0.03]


@pytest.mark.parametrize(
    ("mean", "p", "word"), [(1.0, 0.049, HELPS), (-1.0, 0.049, HURTS), (1.0, 0.051, UNSEEN), (0.0, 1.0, UNSEEN)]
)
def test_verdict(mean, p, word):
    assert verdict(mean, p) == word


def arms(number, effects, seeds=4, examples=40):
    draw = np.random.default_rng([41, number])
    clean = draw.standard_normal((seeds, examples))
    return {
        f"n{i}": clean + effect + draw.standard_normal((seeds, examples)) for i, effect in enumerate(effects)
    }, clean


def agrees(found):
    """A claim keeps its interval on its own side of 0; no claim keeps 0 inside."""
    if found.verdict == UNSEEN:
        return found.low <= 0.0 <= found.high
    return found.low >= 0.0 if found.verdict == HELPS else found.high <= 0.0


def test_intervals_and_verdicts_agree():
    seen = set()
    for number in range(60):
        table, clean = arms(number, [0.0, 0.25, 0.3, -0.3, 0.35])
        for found in adjusted_differences(table, clean).values():
            seen.add((found.verdict, found.low == 0.0 or found.high == 0.0))
            assert agrees(found)
            assert found.p_adjusted >= found.p
    assert {(UNSEEN, False), (HELPS, False), (HURTS, False), (HELPS, True)} <= seen  # the last: Holm's alone


def test_a_family_has_wider_intervals_and_a_single_test_none_of_it():
    table, clean = arms(0, [0.2, 0.1, 0.0])
    found = differences_of(table, clean, winner="n1")
    alone = paired_difference(table["n1"], clean)
    assert list(found) == ["n0", "n1", "n2"]
    assert (found["n1"].low, found["n1"].p_adjusted) == (alone.low, alone.p)
    of_two = paired_difference(table["n0"], clean, confidence=0.975)
    assert found["n0"].high == of_two.high
    assert found["n0"].detectable > found["n1"].detectable * 0.9


def test_without_a_winner_all_are_one_family():
    table, clean = arms(1, [0.2, 0.1, 0.0])
    assert differences_of(table, clean, None) == adjusted_differences(table, clean)


def test_empty():
    assert family({}) == {}
    assert differences_of({}, np.zeros((2, 2)), None) == {}


def test_one_false_claim_in_a_family_is_rare():
    """Six noises that do nothing: any claim in at most 5 of 100 families. 37 claims of 400 would come by chance once in
    10,000 times. Broken on purpose: without Holm's factor a tenth claims something."""
    claims = 0
    for number in range(400):
        table, clean = arms(1000 + number, [0.0] * 6, examples=20)
        claims += min(holm([paired_difference(scores, clean).p for scores in table.values()])) < 0.05
    assert claims < 37

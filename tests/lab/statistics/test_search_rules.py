"""The rules of the search, on scores made up by hand."""

from torchnoise.lab.statistics import better_half, choose, next_arms


def test_better_half():
    assert better_half({1: 0.1, 2: 0.3, 3: 0.2, 4: 0.0}) == [2, 3]
    assert better_half({1: 0.1, 2: 0.3, 3: 0.2, 4: 0.0, 5: 0.15}) == [2, 3, 5]
    assert better_half({1: 0.5}) == [1]
    assert better_half({}) == []


def test_ties_go_to_what_comes_first():
    assert better_half({0.1: 0.2, 0.2: 0.2, 0.4: 0.2, 0.8: 0.2}) == [0.1, 0.2]
    assert better_half({0.1: 0.2, 0.2: 0.2 + 1e-16}) == [0.1]


def test_diverged_takes_a_place_and_never_goes_on():
    assert better_half({1: None, 2: 0.3, 3: None, 4: None}) == [2]
    assert better_half({1: None, 2: 0.3, 3: 0.1, 4: 0.2}) == [2, 4]
    assert better_half({1: None}) == []


FIRST = {
    ("a", 0.1): [0.0, 0.2],
    ("a", 0.2): [0.3, 0.3],
    ("a", 0.4): [0.2, 0.3],
    ("b", 2.0): [0.1, 0.2],
    ("b", 1.0): [0.1, 0.1],
    ("b", 4.0): None,
    ("c", 1.0): None,
    ("c", 2.0): None,
}


def test_the_first_round_halves_each_ladder():
    assert next_arms(FIRST, 1) == [("a", 0.2), ("a", 0.4), ("b", 1.0), ("b", 2.0)]


SECOND = FIRST | {
    ("a", 0.2): [0.3, 0.3, 0.0, 0.0],
    ("a", 0.4): [0.2, 0.3, 0.2, 0.2],
    ("b", 1.0): [0.1, 0.1, 0.1, 0.1],
    ("b", 2.0): [0.1, 0.2, 0.1, 0.2],
}


def test_the_second_round_halves_the_noises():
    """a's 0.4 is better by now, though 0.2 began better; c diverged and takes a place."""
    assert next_arms(SECOND, 2) == [("a", 0.4), ("b", 2.0)]
    assert next_arms({arm: some for arm, some in SECOND.items() if arm[0] != "c"}, 2) == [("a", 0.4)]


def test_an_arm_that_was_dropped_does_not_come_back():
    """0.1 had the higher mean, of fewer seeds: a lucky start is no reason."""
    scores = {("a", 0.1): [0.9, 0.9], ("a", 0.2): [0.9, 0.9, 0.1, 0.1], ("a", 0.4): [0.9, 0.9, 0.2, 0.2]}
    assert next_arms(scores, 2) == [("a", 0.4)]
    assert choose(scores) == ({"a": 0.4}, ["a"])


def test_where_all_that_went_on_diverged_an_earlier_one_is_chosen():
    scores = {("a", 0.1): [0.1, 0.1], ("a", 0.2): None, ("b", 1.0): [0.0, 0.0, 0.0], ("b", 2.0): [-0.1, 0.0, 0.0]}
    assert next_arms(scores, 2) == [("b", 1.0)]
    assert choose(scores) == ({"a": 0.1, "b": 1.0}, ["b", "a"])


def test_the_winner_is_the_best_of_those_that_got_furthest():
    scores = SECOND | {("a", 0.4): [0.2, 0.3, 0.2, 0.2, 0.0, 0.0], ("b", 2.0): [0.1, 0.2, 0.1, 0.2, 0.3, 0.3]}
    scores[("d", 1.0)] = [0.9, 0.9, 0.9, 0.8]  # dropped after the second round
    assert choose(scores) == ({"a": 0.4, "b": 2.0, "c": None, "d": 1.0}, ["b", "a", "d"])


def test_all_diverged():
    assert next_arms({("a", 1.0): None}, 1) == next_arms({("a", 1.0): None}, 2) == []
    assert choose({("a", 1.0): None}) == ({"a": None}, [])


def test_equal_noises_keep_their_order():
    assert choose({("b", 1.0): [0.1], ("a", 1.0): [0.1]})[1] == ["b", "a"]

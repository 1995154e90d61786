"""How many sets of constants prove that they are inputs: not the few that a program names itself."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.advisors.unparameterised_sets import Proof, Sets

WORD, DIGIT, VALUE = 20, 8, 0


@pytest.mark.parametrize(
    ("different", "seen", "takes", "proof"),
    [
        (4, 4, VALUE, Proof.NONE),
        (5, 5, VALUE, Proof.SURE),
        (5, 8, VALUE, Proof.LIKELY),
        (5, 15, VALUE, Proof.LIKELY),
        (5, 16, VALUE, Proof.SETTLED),
        (19, 58, VALUE, Proof.SETTLED),
        (20, 900, VALUE, Proof.SURE),
        (5, 7, WORD, Proof.NONE),
        (9, 9, WORD, Proof.NONE),
        (10, 10, WORD, Proof.NEW_WORDS),
        (10, 21, WORD, Proof.NONE),
        (19, 19, WORD, Proof.NEW_WORDS),
        (20, 20, WORD, Proof.SURE),
        (7, 7, DIGIT, Proof.NONE),
        (8, 8, DIGIT, Proof.SURE),
        (8, 25, DIGIT, Proof.NONE),
    ],
)
def test_limits_are_kept_exactly(different: int, seen: int, takes: int, proof: Proof) -> None:
    assert Sets(different=different, seen=seen, takes=takes).proof(5) is proof


def test_a_higher_limit_of_the_configuration_holds_for_all() -> None:
    assert Sets(different=29, seen=29).proof(30) is Proof.NONE
    assert Sets(different=30, seen=30, takes=WORD).proof(30) is Proof.SURE


@given(st.integers(1, 9), st.integers(1, 400), st.randoms(use_true_random=False))
def test_words_of_a_program_never_prove(kinds: int, samples: int, chance: random.Random) -> None:
    """However many samples meet them, and in whatever order."""
    met = {chance.randrange(kinds) for _ in range(samples)}
    assert Sets(different=len(met), seen=samples, takes=WORD).proof(5) is Proof.NONE


@given(st.integers(20, 400), st.randoms(use_true_random=False))
def test_inputs_are_proved_however_often_some_come_again(samples: int, chance: random.Random) -> None:
    """Of many values, every other sample meets one of the three that everybody asks for."""
    met = {chance.randrange(3) if turn % 2 else 1000 + turn for turn in range(samples)}
    assert Sets(different=len(met), seen=samples).proof(5) >= Proof.LIKELY

"""A corpus that was written before the shapes were looked at: what is found of it, what cannot be, what must not be."""

import json
from pathlib import Path

from monitor.sql.attack import attack

CORPUS = Path(__file__).parent / "injections"


def _lines(name: str) -> list[str]:
    return (CORPUS / f"{name}.jsonl").read_text().splitlines()


def _put_in(name: str) -> list[tuple[str, str]]:
    """Give statements, each with the input for its hole."""
    pairs: list[list[str]] = [json.loads(line) for line in _lines(name)]
    return [(around, given) for around, given in pairs]


def _whole(name: str) -> list[str]:
    return [str(json.loads(line)) for line in _lines(name)]


def test_an_input_that_became_sql_is_found() -> None:
    texts = [around.format(given) for around, given in _put_in("seen")]
    assert [text for text in texts if attack(text) is None] == []


def test_what_programs_write_too_is_not_guessed() -> None:
    """Batches, unions among own tables, remarks, lookups of one value: an attack of that form is not told from them."""
    texts = [around.format(given) for around, given in _put_in("unseen")]
    assert [text for text in texts if attack(text) is not None] == []


def test_the_same_input_as_a_value_is_not() -> None:
    """Bound, or quoted as it ought to be."""
    pairs = [*_put_in("seen"), *_put_in("unseen")]
    bound = [around.replace("'{}'", "{}").replace("'%{}%'", "{}").format("$1") for around, _ in pairs]
    quoted = [around.format(given.replace("'", "''").replace("\\", "")) for around, given in pairs if "'{}'" in around]
    assert [text for text in [*bound, *quoted] if attack(text) is not None] == []


def test_what_programs_write_is_none_wherever_it_is_cut() -> None:
    texts = [each + end for each in _whole("harmless") for end in ("", ";")]
    assert [text for text in texts if attack(text) is not None] == []
    cut = [text[:at] for text in _whole("harmless") for at in range(len(text))]
    assert [text for text in cut if attack(text, cut=True)] == []


def test_nearly_all_attacks_and_none_of_the_harmless_are_found() -> None:
    """So that nobody makes it pass by moving lines."""
    seen, unseen = len(_lines("seen")), len(_lines("unseen"))
    assert seen >= 0.85 * (seen + unseen)
    assert (seen >= 280, len(_lines("harmless")) >= 180) == (True, True)

"""Texts that are longer than is shown are kept whole for index advice, and together take no more than a bound."""

from datetime import UTC, datetime
from typing import cast

import pytest

from monitor.probe import Row, Session
from probes.statements_texts import SHOWN_CHARACTERS, Texts, understood

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def long(number: int) -> str:
    return f"select * from t{number} where secret = 'x{number}' and a in ({', '.join(['4711'] * 500)})"


class Server:
    """Gives a text for each queryid."""

    async def fetch(self, sql: str, *arguments: object) -> list[Row]:
        (ids,) = arguments
        assert isinstance(ids, list)
        return [{"dbid": 1, "queryid": each, "text": long(each).encode()} for each in ids]


def test_a_long_text_is_kept_without_its_constants() -> None:
    """What is shown ends; the whole has parameters for all constants. Where nothing is to be shown, nothing is kept."""
    text = understood((1, 1), long(1), show=True)
    assert len(text.redacted) == SHOWN_CHARACTERS
    assert text.whole.startswith(text.redacted[:-1])
    assert "4711" not in text.whole
    assert "x1" not in text.whole
    assert understood((1, 1), long(1), show=False).whole == ""
    assert understood((1, 1), "select 1", show=True).whole == ""


@pytest.mark.asyncio
async def test_together_they_take_no_more_than_a_bound() -> None:
    """The oldest are given up first; their beginnings stay."""
    room = 20_000
    texts = Texts(room)
    await texts.learn(cast("Session", Server()), {(1, number): 1.0 for number in range(12)}, NOW, show=True)
    kept = [bool(texts.of((1, number)).whole) for number in range(12)]
    assert kept == sorted(kept)
    assert 0 < sum(len(texts.of((1, number)).whole) for number in range(12)) <= room
    assert not all(kept)
    assert all(texts.of((1, number)).redacted for number in range(12))

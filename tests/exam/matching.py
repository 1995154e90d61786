"""Which right, wrong or superfluous index of the exam a proposal is."""

from collections.abc import Mapping, Sequence

import asyncpg

from tests.exam.built import Built, meaning
from tests.exam.model import Drop, Exam, Match, Right, Wrong

Answers = Mapping[Right, Sequence[Built]]


async def answers(session: asyncpg.Connection, exam: Exam) -> Answers:
    """Give what each right index's answers are to this server."""
    return {right: [await meaning(session, right.table, each) for each in right.answers] for right in exam.rights}


def right_of(built: Built, known: Answers) -> Right | None:
    for right, meanings in known.items():
        if built.table == right.table and any(built.serves_as(each, directed=right.directed) for each in meanings):
            return right
    return None


def wrong_of(built: Built, wrongs: Sequence[Wrong]) -> Wrong | None:
    return next((wrong for wrong in wrongs if built.table == wrong.table and stands_for(wrong, built)), None)


def stands_for(wrong: Wrong, built: Built) -> bool:
    """Say whether the example of a wrong index means this one."""
    keys = wrong.index.keys
    whole = built.method == wrong.index.method and built.where is None
    match wrong.match:
        case Match.TABLE:
            return True
        case Match.HOLDS:
            return bool(set(keys) & set(built.keys))
        case Match.LEADING:
            return whole and built.keys[: len(keys)] == keys
        case Match.EXACT:
            return whole and built.keys == keys


def drop_of(name: str, drops: Sequence[Drop]) -> Drop | None:
    return next((drop for drop in drops if name in drop.any_of), None)

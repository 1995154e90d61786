"""The wholesaler: which indexes are right beside its primary keys, and which are not."""

from itertools import permutations

from tests.exam.model import Exam, Index, Match, Right, School, Wrong, btree
from tests.exam.wholesale_work import (
    BUYERS,
    DEPOTS,
    GOODS,
    LINES,
    OPEN,
    PAYMENTS,
    READS,
    ROUTES,
    SALES,
    STOCK,
    WRITES,
)


def any_order(*keys: str, then: str) -> tuple[Index, ...]:
    """Columns that are compared by `=` may stand in any order, with what is sorted by behind them or without."""
    orders = [*permutations(keys)]
    return tuple(btree(*order, then) for order in orders) + tuple(btree(*order) for order in orders)


RIGHTS = (
    Right(
        table=BUYERS,
        answers=any_order("depot", "route", "last_name", then="first_name"),
        shape="buyers of a name",
    ),
    Right(table=SALES, answers=any_order("depot", "route", "buyer", then="no"), shape="last sale of a buyer"),
    Right(table=PAYMENTS, answers=any_order("depot", "route", "buyer", then="paid_at"), shape="payments of a buyer"),
    Right(table=LINES, answers=(btree("good", "depot"), btree("good")), shape="who bought a good"),
)

WRONGS = (
    Wrong(table=DEPOTS, index=btree("id"), match=Match.TABLE, why="the table is one page"),
    Wrong(table=ROUTES, index=btree("depot"), match=Match.TABLE, why="the table is a few pages"),
    Wrong(table=OPEN, index=btree("depot", "route"), match=Match.TABLE, why="the primary key serves the queue"),
    Wrong(table=GOODS, index=btree("id"), match=Match.TABLE, why="the primary key serves it"),
    Wrong(
        table=STOCK,
        index=btree("quantity"),
        match=Match.HOLDS,
        why="each sale would write to all indexes; asked twice",
    ),
    Wrong(table=STOCK, index=btree("depot", "good"), match=Match.LEADING, why="the primary key serves it"),
    Wrong(table=BUYERS, index=btree("balance"), match=Match.HOLDS, why="each payment would write to all indexes"),
    Wrong(table=BUYERS, index=btree("depot", "route"), why="the primary key begins with them"),
    Wrong(table=BUYERS, index=btree("depot", "route", "no"), match=Match.LEADING, why="the primary key serves it"),
    Wrong(table=SALES, index=btree("carrier"), match=Match.LEADING, why="the report reads nearly all"),
    Wrong(table=SALES, index=btree("depot", "route"), why="the primary key begins with them"),
    Wrong(table=SALES, index=btree("depot", "route", "no"), match=Match.LEADING, why="the primary key serves it"),
    Wrong(
        table=LINES,
        index=btree("depot", "route", "sale"),
        match=Match.LEADING,
        why="the primary key begins with them",
    ),
    Wrong(table=LINES, index=btree("delivered_at"), match=Match.HOLDS, why="nobody asks by it"),
    Wrong(
        table=PAYMENTS,
        index=btree("depot", "route"),
        given=((PAYMENTS, btree("buyer", "route", "depot")),),
        why="the one with the buyer serves it",
    ),
)

REMARKS = ((STOCK, btree("good")),)

WHOLESALE = School(
    name="wholesale",
    shapes=READS + WRITES,
    rights=RIGHTS,
    wrongs=WRONGS,
    drops=(),
    keeps=(),
    remarks=REMARKS,
)
DELIVERING = Exam(name="wholesale", schools=(WHOLESALE,), path="wholesale, public")

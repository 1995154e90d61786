"""The trader's analyses: which indexes are right beside the primary keys, and which are not."""

from tests.exam.model import Exam, Index, Match, Right, School, Wrong, btree
from tests.exam.trade_work import (
    BUYERS,
    ENQUIRIES,
    ITEMS,
    MAKERS,
    NATIONS,
    OFFERS,
    ORDERS,
    PARTS,
    REGIONS,
    REPORTS,
)

RIGHTS = (
    Right(
        table=ITEMS,
        answers=(
            btree("shipped_on"),
            Index(keys=("shipped_on",), method="brin"),
            btree("shipped_on", "quantity"),
            btree("shipped_on", "discount"),
        ),
        shape="what a week's discounts cost",
    ),
    Right(
        table=ORDERS,
        answers=(btree("placed_on"), Index(keys=("placed_on",), method="brin"), btree("placed_on", "priority")),
        shape="late items of a week's orders by priority",
    ),
    Right(table=ORDERS, answers=(btree("buyer"),), shape="orders of a buyer with their items"),
    Right(
        table=ITEMS,
        answers=(btree("part", "maker"), btree("part"), btree("part", "quantity")),
        shape="small amounts of a part",
    ),
    Right(table=OFFERS, answers=(btree("maker"), btree("maker", "cost")), shape="offers of a maker"),
    Right(table=ITEMS, answers=(btree("maker"), btree("maker", "flag")), shape="what a maker shipped"),
    Right(
        table=PARTS,
        answers=(btree("packing", "brand"), btree("brand", "packing"), btree("packing")),
        shape="parts of a brand in a packing",
    ),
)

WRONGS = (
    Wrong(table=REGIONS, index=btree("name"), match=Match.TABLE, why="five rows"),
    Wrong(table=NATIONS, index=btree("name"), match=Match.TABLE, why="one page"),
    Wrong(table=MAKERS, index=btree("nation"), match=Match.TABLE, why="a few pages"),
    Wrong(table=ITEMS, index=btree("flag"), match=Match.LEADING, why="the report reads nearly everything"),
    Wrong(table=ITEMS, index=btree("quantity"), match=Match.LEADING, why="half of the rows, and never by itself"),
    Wrong(table=ITEMS, index=btree("discount"), match=Match.LEADING, why="half of the rows, and never by itself"),
    Wrong(table=ITEMS, index=btree("order_id"), match=Match.LEADING, why="the primary key begins with it"),
    Wrong(table=ITEMS, index=btree("received_on"), match=Match.LEADING, why="compared with another column only"),
    Wrong(table=ORDERS, index=btree("status"), match=Match.LEADING, why="half of the rows"),
    Wrong(table=ORDERS, index=btree("priority"), match=Match.LEADING, why="nobody asks by it"),
    Wrong(table=ORDERS, index=btree("total"), match=Match.LEADING, why="only a few of the sums are sorted"),
    Wrong(table=ORDERS, index=btree("id"), match=Match.LEADING, why="the primary key serves it"),
    Wrong(table=OFFERS, index=btree("part"), why="the primary key begins with it"),
    Wrong(table=OFFERS, index=btree("part", "maker"), match=Match.LEADING, why="the primary key serves it"),
    Wrong(table=PARTS, index=btree("id"), match=Match.LEADING, why="the primary key serves it"),
    Wrong(
        table=PARTS,
        index=btree("brand"),
        given=((PARTS, btree("packing", "brand")),),
        why="the one on both serves it",
    ),
    Wrong(table=BUYERS, index=btree("balance"), match=Match.HOLDS, why="half of the rows"),
    Wrong(table=BUYERS, index=btree("segment"), match=Match.LEADING, why="nobody asks by it"),
)

REMARKS = ((BUYERS, btree("nation")),)

TRADE = School(
    name="trade", shapes=ENQUIRIES + REPORTS, rights=RIGHTS, wrongs=WRONGS, drops=(), keeps=(), remarks=REMARKS
)
ANALYSING = Exam(name="trade", schools=(TRADE,), path="trade, public")

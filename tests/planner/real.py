"""What a real server plans, to be compared with the shadow; and candidates in few words."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from monitor.planning import Candidate, Query
from monitor.shape import IndexKey, Shape, Table
from tests.database import Database


def queries(*texts: str, given: Mapping[int, str] | None = None) -> list[Query]:
    """Give queries named by their texts."""
    return [Query(name=text, text=text, given=tuple((given or {}).items())) for text in texts]


def table(shape: Shape, name: str, schema: str = "public") -> Table:
    found = shape.named(schema, name)
    assert found is not None
    return found


def candidate(shape: Shape, name: str, *columns: str, schema: str = "public", **more: Any) -> Candidate:
    """Give a candidate on a table: columns by name, expressions in parentheses; `opclass` is the first key's."""
    on = table(shape, name, schema)
    opclass = more.pop("opclass", "")
    keys = [
        IndexKey(
            expression=each if each.startswith("(") else f'"{each.replace(chr(34), chr(34) * 2)}"',
            column=on.by_name[each].number if each in on.by_name else 0,
            opclass=opclass if not place else "",
        )
        for place, each in enumerate(columns)
    ]
    return Candidate(table=on.oid, schema=schema, name=name, keys=tuple(keys), **more)


async def planned(database: Database, query: Query, **settings: str) -> Mapping[str, Any]:
    """Plan on the real server: for any values, or with those given; in a session with further settings."""
    text = query.text
    for number, value in query.given:
        text = text.replace(f"${number}", value)
    session = await database.connect(**{"jit": "off", "plan_cache_mode": "force_generic_plan", **settings})
    await session.execute(f"prepare asked as {text}")
    many = await session.fetchval(
        "select cardinality(parameter_types) from pg_prepared_statements where name = 'asked'"
    )
    nulls = f"({', '.join(['null'] * many)})" if many else ""
    rows = await session.fetch(f"explain (verbose, format json) execute asked{nulls}")
    await session.close()
    plan: Mapping[str, Any] = json.loads(rows[0][0])[0]["Plan"]
    return plan


def outline(plan: Mapping[str, Any]) -> Sequence[object]:
    """Give a plan's nodes with the tables they read, without numbers and names of indexes."""
    below = [outline(each) for each in plan.get("Plans", ())]
    return [plan["Node Type"], plan.get("Relation Name", ""), *below]

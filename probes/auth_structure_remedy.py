"""The SQL that mends a link's structure, each step with few locks, and what a person must decide before."""

from __future__ import annotations

from monitor.probe import Remedy, identifier, index_names, index_sql
from probes.auth_structure_shape import Key, Shape
from probes.indexes_remedy import created, described, dropped

NOT_VALID_ON_PARTITIONED = 18
"""The first version that adds a foreign key NOT VALID to a partitioned table."""

ACTIONS = {"a": "no action", "r": "restrict", "c": "cascade", "n": "set null", "d": "set default"}

TWO_STEPS = (
    "The first statement locks both tables for a moment and keeps new orphans out; the second reads the table while "
    "others write, and fails while there are orphans: mend those (auth_links.orphaned_profile), then run it again."
)
WITH_USERS = "It needs the right to refer to auth.users (REFERENCES), which postgres has on Supabase."
CASCADE = "on delete cascade: the row is nothing without its user, and goes with it."
SET_NULL = "on delete set null: the row stays when its user is deleted, as a guest's."


def on_delete(shape: Shape) -> str | None:
    """Choose what becomes of a row whose user is deleted; None where only a person can."""
    if shape.of_record:
        return None
    if shape.of_person:
        return "cascade"
    return None if shape.not_null else "set null"


def keyed(shape: Shape, users: str) -> Remedy:
    """Add the foreign key."""
    name, action = free(shape, "fkey"), on_delete(shape)
    if shape.base != "uuid":
        return Remedy(caution=f"First make {shape.subject} a uuid (auth_links.wrong_type): no other type can refer.")
    if action is None or shape.sampled:
        return Remedy(caution=_choice(shape, users, name))
    if shape.partitioned and shape.major < NOT_VALID_ON_PARTITIONED:
        waiting = "A partitioned table takes it in one step: writes wait while its rows are read; choose a quiet hour."
        return Remedy(
            sql=(_added(shape, users, name, action),),
            rollback=(_left(shape, name),),
            caution=f"{waiting} It fails while there are orphans. {_reason(action)} {WITH_USERS}",
        )
    return Remedy(
        sql=(f"{_added(shape, users, name, action)} not valid", _validated(shape, name)),
        rollback=(_left(shape, name),),
        caution=f"{TWO_STEPS} {_reason(action)} {WITH_USERS}",
    )


def enforced(shape: Shape, key: Key) -> Remedy:
    """Let a foreign key that is there be kept."""
    name = identifier(key.name)
    return Remedy(
        sql=(f"alter table {shape.relation} alter constraint {name} enforced",),
        rollback=(f"alter table {shape.relation} alter constraint {name} not enforced",),
        caution="It reads the table, and fails while there are orphans (auth_links.orphaned_profile).",
    )


def validated(shape: Shape, key: Key) -> Remedy:
    """Check the rows that were there before the foreign key."""
    caution = (
        "It reads the table while others write, and fails while there are orphans: mend those first "
        "(auth_links.orphaned_profile)."
    )
    return Remedy(sql=(_validated(shape, key.name),), caution=caution)


def rekeyed(shape: Shape, key: Key, users: str) -> Remedy:
    """Replace a foreign key by one that says what becomes of the rows."""
    action = on_delete(shape)
    if action is None or key.columns > 1 or shape.partitioned:
        return Remedy(
            caution=f"Somebody must decide: {_ways(shape)}. Drop the constraint {identifier(key.name)} and add it anew "
            f"with that rule, in one alter table, NOT VALID; then VALIDATE CONSTRAINT. Where {shape.relation} must "
            "outlive its user, restrict is right, and the application deletes or unlinks rows first: ignore the rule."
        )
    swap = f"alter table {shape.relation} drop constraint {identifier(key.name)}, add {{}} not valid"
    old = ACTIONS[key.on_delete]
    validate = _validated(shape, key.name)
    return Remedy(
        sql=(swap.format(_definition(shape, users, key.name, action, key)), validate),
        rollback=(swap.format(_definition(shape, users, key.name, old, key)), validate),
        caution=f"{TWO_STEPS} {_reason(action)} {WITH_USERS}",
    )


def indexed(shape: Shape, names: index_names.Names) -> Remedy:
    """Create the index."""
    place = index_names.Place(*shape.place[:2], shape.place[2:])
    if shape.partitioned:
        return Remedy(caution=f"A partitioned table cannot be indexed concurrently: in a quiet hour run create index "
                      f"on {described(place)}, while writes wait; or one concurrently on each partition.")  # fmt: skip
    return Remedy(sql=(created(place, names),), rollback=(dropped(place, names),), caution=index_sql.CONCURRENTLY)


def made_unique(shape: Shape, names: index_names.Names) -> Remedy:
    """Create the unique index."""
    place = index_names.Place(*shape.place[:2], shape.place[2:])
    if shape.partitioned:
        return Remedy(
            caution=f"{shape.relation} is partitioned: a unique index must hold the partition key as well, so "
            f"{shape.column} alone can be unique only where it is that key."
        )
    return Remedy(
        sql=(created(place, names).replace("create index", "create unique index", 1),),
        rollback=(dropped(place, names),),
        caution=f"{index_sql.CONCURRENTLY} It fails while a user has two rows: merge those first "
        "(auth_links.duplicate).",
    )


def retyped(shape: Shape) -> Remedy:
    """Make a text link a uuid."""
    if shape.base != "text":
        return Remedy(caution=f"A {shape.type} cannot hold an id of auth.users: add a uuid column, fill it, drop this.")
    caution = (
        "It rewrites the table while everybody waits, and fails on a value that is no uuid (auth_links.malformed), a "
        "view or a policy that uses the column, and a default that is text. Afterwards code that compares the "
        "column with a text must cast it."
    )
    if shape.partitioned or shape.partition:
        return Remedy(caution=f"Change the type to uuid, on the partitioned table itself. {caution}")
    alter = f"alter table {shape.relation} alter column {shape.column} type"
    return Remedy(
        sql=(f"{alter} uuid using nullif(btrim({shape.column}::text), '')::uuid",),
        rollback=(f"{alter} {shape.type} using {shape.column}::text",),
        caution=caution,
    )


def filled(shape: Shape) -> Remedy:
    """Forbid NULL, with a check that is validated while others write."""
    name = identifier(free(shape, "not_null"))
    alter, column = f"alter table {shape.relation}", shape.column
    return Remedy(
        sql=(
            f"{alter} add constraint {name} check ({column} is not null) not valid",
            f"{alter} validate constraint {name}",
            f"{alter} alter column {column} set not null",
            f"{alter} drop constraint {name}",
        ),
        rollback=(f"{alter} drop constraint if exists {name}", f"{alter} alter column {column} drop not null"),
        caution="Not where guests have a row (NULL): there the second statement fails; run the rollback, and ignore "
        "the rule. The check lets `set not null` skip reading the table under its lock.",
    )


def free(shape: Shape, suffix: str) -> str:
    """Give a name for a constraint that the table does not have yet."""
    stem = f"{shape.place[1]}_{shape.place[2]}"
    for tail in (f"_{suffix}", *(f"_{suffix}{number}" for number in range(1, 100))):
        name = index_names.cut(stem, index_names.BYTES - len(tail)) + tail
        if name not in shape.constraints:
            return name
    raise AssertionError(stem)


def _added(shape: Shape, users: str, name: str, action: str) -> str:
    return f"alter table {shape.relation} add {_definition(shape, users, name, action)}"


def _definition(shape: Shape, users: str, name: str, action: str, like: Key | None = None) -> str:
    rest = ""
    if like is not None:
        rest += f" on update {ACTIONS[like.on_update]}" if like.on_update != "a" else ""
        rest += " deferrable" if like.deferrable else ""
        rest += " initially deferred" if like.deferred else ""
    full = " match full" if like is not None and like.match == "f" else ""
    told = f"constraint {identifier(name)} foreign key ({shape.column}) references {users} (id)"
    return f"{told}{full} on delete {action}{rest}"


def _validated(shape: Shape, name: str) -> str:
    return f"alter table {shape.relation} validate constraint {identifier(name)}"


def _left(shape: Shape, name: str) -> str:
    return f"alter table {shape.relation} drop constraint if exists {identifier(name)}"


def _reason(action: str) -> str:
    return CASCADE if action == "cascade" else SET_NULL


def _ways(shape: Shape) -> str:
    nulls = "" if shape.not_null else "on delete set null keeps the row as a guest's, "
    return f"when a user is deleted, {nulls}on delete cascade deletes the row, on delete restrict forbids it"


def _choice(shape: Shape, users: str, name: str) -> str:
    doubt = f"First make sure that {shape.column} holds nothing but ids of users. " if shape.sampled else ""
    action = on_delete(shape) or "restrict"
    return (
        f"{doubt}Somebody must decide: {_ways(shape)}. Then, for instance: {_added(shape, users, name, action)} not "
        f"valid; {_validated(shape, name)}. {TWO_STEPS} If ids of deleted users are kept on purpose: auth.not_links."
    )

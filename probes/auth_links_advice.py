"""What to do about links, in words and SQL: how to see them, how to mend them, and how to declare them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from monitor.probe import Remedy, Target, identifier, sight
from probes.auth_links_discovery import Column, Origin
from probes.auth_links_reading import Blind, LinkReading
from probes.auth_repair import checked


def seems(reading: LinkReading) -> str:
    """Say why a column is taken for a link."""
    if reading.origin is Origin.KEY:
        return "has a foreign key to auth.users and is not declared"
    return f"looks like a link: {reading.present:,} of {reading.distinct:,} sampled values are users"


def settings(reading: LinkReading, target: Target) -> str:
    """Give the YAML that confirms a link, and the YAML that excludes it."""
    column = reading.column
    entry = {
        "target": target.server,
        "database": target.database,
        "table": column.relation,
        "column": column.column,
        **({"created_at": column.created} if column.created else {}),
        **({"every_user": True} if column.profile_like and column.single else {}),
    }
    name = f"{column.schema}.{column.table}.{column.column}"
    return f"To confirm: auth: {{links: [{_yaml(entry)}]}}. To exclude: auth: {{not_links: [{_yaml(name)}]}}"


def _yaml(value: object) -> str:
    """JSON on one line is YAML."""
    return json.dumps(value, ensure_ascii=False)


def sight_remedy(blind: Blind, schema: str) -> Remedy:
    """Lend the role counts through functions."""
    return Remedy(
        sql=tuple(sight.lend(blind.role, schema)),
        rollback=tuple(sight.take_back()),
        caution=(
            "Run it in this database as a role that reads these tables past row level security and may create a "
            "schema: a superuser, or postgres on Supabase. The functions give counts and hashes, never a row."
        ),
    )


@dataclass(frozen=True)
class Checked:
    """How many rows were counted, so that a repair touches no more; and who is too young to be counted, in seconds."""

    count: int
    grace: float

    def repair(self, change: str) -> str:
        """Give the statement that makes a change or, where it meets more rows, none."""
        return checked(change, self.count, on_one_line=True)

    def old(self, time: str) -> str:
        """Give the condition that a time lies before the grace."""
        return f"{time} < now() - interval '{self.grace:g} seconds'"


def orphan_remedy(reading: LinkReading, users: str, checked: Checked) -> Remedy:
    """Show the rows; what becomes of them is a person's choice."""
    column = reading.column
    table, link = column.relation, identifier(column.column)
    old = f" and {checked.old(f'p.{identifier(column.created)}')}" if column.created else ""
    stranger = f"{_wellformed(column)}{old} and not exists (select from {users} u where {_same(column)})"
    orphans = f"p.{link} is not null{stranger}"
    return Remedy(
        caution=(
            f"Somebody must decide. To see them: select p.* from {table} p where {orphans}. Set {link} to NULL where "
            f"the row stays as a guest's: {checked.repair(f'update {table} p set {link} = null where {orphans}')}; or "
            f"delete it: {checked.repair(f'delete from {table} p where {orphans}')}. Each changes nothing when it "
            f"meets more rows than were counted. {_key(column, users)} If ids of deleted users are kept on purpose, "
            f"exclude the link: auth.not_links.{_index(reading)}"
        )
    )


def _index(reading: LinkReading) -> str:
    """Offer an index by which new rows are met at once, where the sweep takes long."""
    seen, column = reading.seen, reading.column
    if seen is None or not seen.index_helps or not seen.new_wait or not column.created:
        return ""
    index = f"create index concurrently on {column.relation} ({identifier(column.created)})"
    return f" The monitor meets new orphans within minutes, not with the sweep, if you {index}."


def _key(column: Column, users: str) -> str:
    """Say how to keep a link whole from now on."""
    table, link = column.relation, identifier(column.column)
    if column.keyed:
        return f"Then have its foreign key checked: alter table {table} validate constraint with its name."
    uuid = f"make {link} a uuid (alter table {table} alter {link} type uuid using {link}::uuid), "
    return (
        f"Then keep it so: {'' if column.uuid else uuid}alter table {table} add foreign key ({link}) references "
        f"{users} (id) on delete cascade not valid, which locks but for a moment, and alter table {table} validate "
        "constraint with its name, which stops no writer. ON DELETE: cascade where the row goes with its user, set "
        "null where it stays as a guest's; without either, deleting the user fails."
    )


def missing_remedy(reading: LinkReading, users: str, checked: Checked) -> Remedy:
    """Show the users; what else their rows need is a person's knowledge."""
    column = reading.column
    table, link = column.relation, identifier(column.column)
    missing = (
        "u.confirmed_at is not null and u.deleted_at is null and not u.is_anonymous and not u.is_sso_user and "
        f"{checked.old('greatest(u.created_at, u.confirmed_at)')} and not exists (select from {table} p where "
        f"{_same(column)})"
    )
    value = "u.id" if column.uuid else "u.id::text"
    repair = checked.repair(f"insert into {table} ({link}) select {value} from {users} u where {missing}")
    return Remedy(
        caution=(
            f"The other columns of {table} need values only you know. To see the users: select u.id from {users} u "
            f"where {missing}. Insert a row for each; where the other columns have defaults: {repair}. Then mend what "
            f"makes the row at sign-up: a trigger after insert on {users}, its function SECURITY DEFINER with a fixed "
            f"search_path; it runs insert into {table} ({link}) values (new.id) on conflict do nothing, and ends with "
            "exception when others then raise warning and return new: what fails there must not stop a sign-up."
        )
    )


def _same(column: Column) -> str:
    """Give the condition that row p is user u's, in whatever spelling."""
    link = f"p.{identifier(column.column)}"
    if column.uuid:
        return f"u.id = {link}"
    return f"u.id = case when {link}::text ~ '{sight.UUID}' then {link}::text::uuid end"


def _wellformed(column: Column) -> str:
    return "" if column.uuid else f" and p.{identifier(column.column)}::text ~ '{sight.UUID}'"

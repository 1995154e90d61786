"""What to do about links, in words and SQL: how to see them, how to mend them, and how to declare them."""

from __future__ import annotations

import json

from monitor.probe import Remedy, Target, identifier, sight
from probes.auth_links_discovery import Origin
from probes.auth_links_reading import Blind, LinkReading


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


def orphan_remedy(reading: LinkReading, users: str) -> Remedy:
    """Show the rows; what becomes of them is a person's choice."""
    table, link = reading.column.relation, identifier(reading.column.column)
    return Remedy(
        caution=(
            f"Somebody must decide. To see them: select p.* from {table} p where p.{link} is not null and not exists "
            f"(select from {users} u where u.id::text = lower(p.{link}::text)). Set {link} to NULL where the row stays "
            f"as a guest's, else delete it. Then keep it so by a foreign key from {reading.column.subject} to {users} "
            "(id), added NOT VALID, then VALIDATE CONSTRAINT. If ids of deleted users are kept on purpose, exclude the "
            "link: auth.not_links."
        )
    )


def missing_remedy(reading: LinkReading, users: str) -> Remedy:
    """Show the users; what else their rows need is a person's knowledge."""
    table, link = reading.column.relation, identifier(reading.column.column)
    return Remedy(
        caution=(
            f"The other columns of {table} need values only you know. To see the users: select u.id from {users} u "
            "where u.confirmed_at is not null and u.deleted_at is null and not u.is_anonymous and not u.is_sso_user "
            f"and not exists (select from {table} p where lower(p.{link}::text) = u.id::text). Insert a row for each, "
            f"and mend what makes it at sign-up: a trigger on {users}, SECURITY DEFINER, with a fixed search_path."
        )
    )

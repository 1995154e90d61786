"""What to do about rows that disagree with the state of their user, in words and SQL."""

from __future__ import annotations

from monitor.probe import Remedy, identifier
from probes.auth_repair import checked
from probes.auth_states_traits import Link, StateReading


def malformed_remedy(link: Link) -> Remedy:
    """Show the rows; then the type keeps such values out."""
    table, column = link.column.relation, identifier(link.column.column)
    return Remedy(
        caution=(
            f"Somebody must decide what was meant. To see them: select p.* from {table} p where btrim(p.{column}::text)"
            f" <> '' and replace(btrim(p.{column}::text, '{{}}'), '-', '') !~* '^[0-9a-f]{{32}}$'. Set {column} to NULL"
            f" or to the id that was meant, then keep it so by the type: alter table {table} alter column {column} type"
            f" uuid using nullif({column}::text, '')::uuid (it rewrites the table under an exclusive lock)."
        )
    )


def duplicate_remedy(link: Link) -> Remedy:
    """Show the users; then a unique index keeps it so."""
    table, column = link.column.relation, identifier(link.column.column)
    marks = " and ".join(f"{identifier(name)} is null" for name in link.traits.gone)
    return Remedy(
        caution=(
            f"Somebody must merge the rows. To see them: select p.{column}, count(*) from {table} p where p.{column} is"
            f" not null group by 1 having count(*) > 1. When one row is left of each, keep it so: create unique index"
            f" concurrently on {table} ({column})"
            + (f"; where rows that are {marks.partition(' ')[0]} may stay, add a WHERE clause" if marks else "")
            + ". If a user may have several rows, declare the link with one_per_user: false."
        )
    )


def deleted_remedy(link: Link, users: str) -> Remedy:
    """Show the rows; whether they are deleted or made anonymous is a question of law and of the application."""
    return Remedy(
        caution=(
            f"Somebody must decide. To see them: {_rows(link, users, 'u.deleted_at is not null')}. Make these rows"
            " anonymous or delete them, as your rules on retention say, and let what deletes a user do both."
        )
    )


def banned_remedy(link: Link, users: str) -> Remedy:
    """Show the rows; nothing need be wrong."""
    return Remedy(
        caution=(
            f"To see them: {_rows(link, users, 'u.banned_until > now()')}. Nothing need be wrong: hide what they"
            " publish if that is what the ban is for."
        )
    )


def copy_remedy(link: Link, users: str) -> Remedy:
    """Name the ways out of keeping the address twice."""
    table, email = link.column.relation, identifier(str(link.email))
    return Remedy(
        caution=(
            f"Read the address from {users}, through a view or a function of the owner that gives each user his own,"
            f" then drop the copy: alter table {table} drop column {email}. If people enter another address here on"
            " purpose, it is no copy: ignore this finding and auth_links.email_drift for this table."
        )
    )


def drift_remedy(reading: StateReading, users: str) -> Remedy:
    """Take over what auth.users says where the configuration calls the column a copy of it; else ask."""
    link = reading.link
    table, email = link.column.relation, identifier(str(link.email))
    if not (link.stated and link.traits.uuid and reading.whole):
        live = "u.deleted_at is null and " if reading.has_deletion else ""
        rows = _rows(link, users, f"{live}lower(btrim(p.{email}::text)) <> lower(btrim(u.email))")
        return Remedy(
            caution=(
                f"Somebody must say which address is right. To see the rows: {rows}. People sign in with the address"
                f" in {users}; if {email} is a copy of it, declare the link with email: {link.email}, and the"
                " statement that mends it is printed. If people may change it here, it is another address."
            )
        )
    return Remedy(
        sql=(checked(_taken_over(reading, users), reading.count("drifted")),),
        caution=(
            f"The addresses that stand in {table} now are lost: keep a copy if somebody may have entered them there. "
            "Triggers of the table run. Then mend what should have copied the change: a trigger after update of email"
            f" on {users}."
        ),
    )


def _taken_over(reading: StateReading, users: str) -> str:
    """Write the update for what was counted: no running change, nobody deleted, case and blanks alone are no reason."""
    column, email = reading.column, identifier(str(reading.link.email))
    own, copy = "lower(btrim(u.email))", f"lower(btrim(p.{email}::text))"
    deleted = " and u.deleted_at is null" if reading.has_deletion else ""
    return (
        f"update {column.relation} as p set {email} = u.email from {users} as u"
        f" where u.id = p.{identifier(column.column)}{deleted}"
        " and (coalesce(u.email_change, '') = '' or u.email_change_sent_at < now() - interval '1 day')"
        f" and {own} <> '' and {copy} <> '' and {copy} <> {own}"
    )


def _rows(link: Link, users: str, condition: str) -> str:
    """Write the statement that shows a link's rows by the state of their user."""
    table, column = link.column.relation, identifier(link.column.column)
    same = f"u.id = p.{column}" if link.traits.uuid else f"u.id::text = lower(p.{column}::text)"
    return f"select p.* from {table} p join {users} u on {same} where {condition}"

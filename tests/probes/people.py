"""People of schema auth for the tests: users of every kind, and profile tables that link to them."""

from collections.abc import Sequence

from monitor.demo.gotrue import gotrue
from tests.database import Database

KINDS = {
    "anonymous": "is_anonymous = true, email_confirmed_at = created_at",
    "unconfirmed": "email_confirmed_at = null",
    "invited": "email_confirmed_at = null, invited_at = created_at",
    "soft-deleted": "deleted_at = now()",
    "single sign-on": "is_sso_user = true",
    "new": "created_at = now(), email_confirmed_at = now()",
    "confirmed just now": "email_confirmed_at = now()",
}
PROFILES = """
    create table public.users (
        id           bigint generated always as identity primary key,
        auth_user_id uuid {rest},
        name         text,
        created_at   timestamptz default now() - interval '1 hour'
    )
"""


async def found_auth(database: Database) -> None:
    """Lay schema auth."""
    await database.execute(gotrue())


async def sign_up(database: Database, many: int = 1, changes: str = "") -> Sequence[str]:
    """Make confirmed users of an hour ago; `changes` is the SET list that makes them something else."""
    rows = await database.fetch(
        "insert into auth.users (id, email, created_at, email_confirmed_at)"
        " select gen_random_uuid(), gen_random_uuid() || '@example.org', born, born"
        " from generate_series(1, $1::int), (values (now() - interval '1 hour')) as birth (born) returning id::text",
        many,
    )
    made = [str(row["id"]) for row in rows]
    if changes:
        await database.execute(f"update auth.users set {changes} where id = any ('{{{','.join(made)}}}'::uuid[])")
    return made


async def profiles(database: Database, many: int = 25, rest: str = "unique") -> Sequence[str]:
    """Make public.users, with a row for each of many users."""
    await database.execute(PROFILES.format(rest=rest))
    made = await sign_up(database, many)
    await give_profiles(database, made)
    return made


async def give_profiles(database: Database, users: Sequence[str]) -> None:
    """Give users a row in public.users."""
    await database.execute(
        "insert into public.users (auth_user_id) select user_id::uuid from unnest($1::text[]) as user_id", users
    )


async def orphan(database: Database, many: int = 1, **columns: str) -> None:
    """Add rows of users who never were; columns are SQL expressions."""
    names = "".join(f", {name}" for name in columns)
    values = "".join(f", {value}" for value in columns.values())
    await database.execute(
        f"insert into public.users (auth_user_id{names})"
        f" select gen_random_uuid(){values} from generate_series(1, {many})"
    )

"""Accounts of schema auth as GoTrue makes them: with '' in the token columns, and with an identity."""

from collections.abc import Sequence

from tests.database import Database

TOKENS = (
    "confirmation_token", "recovery_token", "email_change_token_new", "email_change", "phone_change",
    "phone_change_token", "email_change_token_current", "reauthentication_token",
)  # fmt: skip

MADE = f"""
    insert into auth.users (instance_id, id, aud, role, email, created_at, email_confirmed_at, last_sign_in_at,
                            {", ".join(TOKENS)})
    select '00000000-0000-0000-0000-000000000000', id, 'authenticated', 'authenticated', id || '@example.org',
           born, born, now(),
           {", ".join(["''"] * len(TOKENS))}
      from (select gen_random_uuid() as id, now() - interval '60 days' as born from generate_series(1, $1::int)) person
 returning id::text
"""

IDENTIFIED = """
    insert into auth.identities (provider_id, user_id, identity_data, provider, created_at, updated_at)
    select id::text, id, jsonb_build_object('sub', id, 'email', lower(email)), 'email', created_at, created_at
      from auth.users
     where id::text = any ($1::text[])
"""


async def accounts(database: Database, many: int = 1, changes: str = "", *, identity: bool = True) -> Sequence[str]:
    """Make confirmed accounts of two months ago; `changes` is the SET list that makes them something else."""
    made = [str(row["id"]) for row in await database.fetch(MADE, many)]
    if identity:
        await database.fetch(IDENTIFIED, made)
    if changes:
        await database.execute(f"update auth.users set {changes} where id = any ('{{{','.join(made)}}}'::uuid[])")
    return made


def days_ago(days: float, *, confirmed: bool = False) -> str:
    """Give the SET list of an account that is so old, and unconfirmed unless said otherwise."""
    born = f"now() - interval '{days} days'"
    return f"created_at = {born}, email_confirmed_at = {born if confirmed else 'null'}"

"""Sessions, refresh tokens and factors of schema auth for the tests, as GoTrue makes them, and otherwise."""

from tests.database import Database
from tests.probes.people import sign_up


async def sign_in(database: Database, user: str, *, tokens: int = 1, **columns: str) -> str:
    """Make a session of a user, an hour old, with live refresh tokens; columns of the session are SQL expressions."""
    given = {"created_at": "now() - interval '1 hour'", "updated_at": "now() - interval '1 hour'", **columns}
    session = await database.value(
        f"insert into auth.sessions (id, user_id, {', '.join(given)})"
        f" values (gen_random_uuid(), $1::text::uuid, {', '.join(given.values())}) returning id::text",
        user,
    )
    for _ in range(tokens):
        await token(database, f"'{user}'", session)
    return str(session)


async def token(database: Database, user: str, session: str | None = None, **columns: str) -> None:
    """Give a live refresh token, an hour old; `user` and columns are SQL expressions."""
    given = {
        "token": "gen_random_uuid()::text",
        "user_id": user,
        "session_id": "null" if session is None else f"'{session}'",
        "revoked": "false",
        "created_at": "now() - interval '1 hour'",
        "updated_at": "now() - interval '1 hour'",
        **columns,
    }
    await database.execute(f"insert into auth.refresh_tokens ({', '.join(given)}) values ({', '.join(given.values())})")


async def factor(database: Database, user: str, status: str = "verified") -> str:
    """Give a user a second factor."""
    made = await database.value(
        "insert into auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at)"
        f" values (gen_random_uuid(), $1::text::uuid, 'totp', '{status}', now() - interval '1 hour', now())"
        " returning id::text",
        user,
    )
    return str(made)


async def one_of_each_fault(database: Database) -> None:
    """Plant every fault of the rules on sessions, some twice, among people who are well."""
    well, other, banned, deleted = await sign_up(database, 4)
    await database.execute(
        "update auth.users set banned_until = now() + interval '1 day' where id = $1::text::uuid", banned
    )
    await database.execute("update auth.users set deleted_at = now() where id = $1::text::uuid", deleted)
    session = await sign_in(database, well)
    for _ in range(2):
        await sign_in(database, banned)
    await sign_in(database, deleted)
    await token(database, "gen_random_uuid()::text")
    await token(database, f"'{other}'", session, revoked="true")
    await sign_in(database, well, tokens=2)
    await sign_in(database, well, not_after="now() - interval '25 hours'")
    await sign_in(database, well, aal="'aal2'")
    await sign_in(database, well, factor_id="gen_random_uuid()")
    await flow(database, "gen_random_uuid()")


async def flow(database: Database, user: str = "null", age: str = "1 hour", many: int = 1) -> None:
    """Begin sign-ins; `user` is an SQL expression."""
    await database.execute(
        "insert into auth.flow_state (id, user_id, provider_type, authentication_method, created_at)"
        f" select gen_random_uuid(), {user}, 'email', 'magiclink', now() - interval '{age}'"
        f" from generate_series(1, {many})"
    )

"""Counts the faults of the second exam's world by nothing of ours: by plain SQL, and by Python for the links."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.database import Database
from tests.end_to_end import auth_faults as faults

LIVE = "exists (select from auth.refresh_tokens t where t.session_id = s.id and not t.revoked)"
USERS_OF_SESSIONS = "from auth.sessions s join auth.users u on u.id = s.user_id"
VERIFIED = "select from auth.mfa_factors f where f.user_id = s.user_id and f.status = 'verified'"
PASSKEY = "select from auth.webauthn_credentials w where w.user_id = s.user_id"
BLANKS = (
    "confirmation_token, recovery_token, email_change, email_change_token_new, email_change_token_current, "
    "phone_change, phone_change_token, reauthentication_token"
)
AUTH: Mapping[str, str] = {
    "auth.banned_live_session": f"{USERS_OF_SESSIONS} where u.banned_until > now() and {LIVE}",
    "auth.soft_deleted_live_session": f"{USERS_OF_SESSIONS} where u.deleted_at is not null and {LIVE}",
    "auth.unconfirmed": "from auth.users where confirmed_at is null and invited_at is null and deleted_at is null"
    " and not is_anonymous and not is_sso_user and created_at < now() - interval '7 days'",
    "auth.invite_expired": "from auth.users where confirmed_at is null and invited_at < now() - interval '14 days'",
    "auth.anonymous_stale": "from auth.users where is_anonymous and created_at < now() - interval '30 days'",
    "auth.email_case_duplicate": "from (select from auth.users where not is_sso_user and deleted_at is null"
    " group by lower(email) having count(email) > 1) d",
    "auth.user_without_identity": "from auth.users u where not is_anonymous and deleted_at is null"
    " and last_sign_in_at is not null and not exists (select from auth.identities i where i.user_id = u.id)",
    "auth.identity_email_mismatch": "from auth.users u join auth.identities i on i.user_id = u.id"
    " where i.provider = 'email' and lower(u.email) <> i.email and coalesce(u.email_change, '') = ''"
    " and u.deleted_at is null",
    "auth.refresh_token_orphan": "from auth.refresh_tokens t"
    " where user_id is not null and not exists (select from auth.users u where u.id::text = lower(t.user_id))",
    "auth.refresh_token_mismatch": "from auth.refresh_tokens t join auth.sessions s on s.id = t.session_id"
    " where lower(t.user_id) <> s.user_id::text",
    "auth.many_live_tokens": "from (select from auth.refresh_tokens where not revoked and session_id is not null"
    " and created_at < now() - interval '1 minute' group by session_id having count(*) > 1) m",
    "auth.live_token_expired_session": f"from auth.sessions s where not_after < now() - interval '1 day' and {LIVE}",
    "auth.aal2_without_factor": f"from auth.sessions s where aal = 'aal2' and not exists ({VERIFIED})"
    f" and not exists ({PASSKEY})",
    "auth.session_factor_missing": "from auth.sessions s where factor_id is not null"
    " and not exists (select from auth.mfa_factors f where f.id = s.factor_id)",
    "auth.null_token_columns": f"from auth.users where num_nulls({BLANKS}) > 0",
    "auth.privileged_role": "from auth.users where role not in ('authenticated', 'anon', '')",
    "auth.super_admin": "from auth.users where is_super_admin",
    "auth.flow_state_orphan": "from auth.flow_state f"
    " where user_id is not null and not exists (select from auth.users u where u.id = f.user_id)",
}
CLEANED: Mapping[str, str] = {
    "mfa_factors": "where status = 'unverified' and created_at < now() - interval '48 hours'",
    "one_time_tokens": "where created_at < now() at time zone 'UTC' - interval '48 hours'",
    "refresh_tokens": "where revoked and updated_at < now() - interval '48 hours'",
    "flow_state": "where created_at < now() - interval '48 hours'",
}
STATES = """
    select replace(id::text, '-', '') as key, lower(email) as email, deleted_at is not null as deleted,
           coalesce(banned_until > now(), false) as banned, coalesce(email_change, '') <> '' as changing,
           coalesce(confirmed_at < now() - interval '5 minutes' and created_at < now() - interval '5 minutes'
                    and deleted_at is null and not is_anonymous and not is_sso_user, false) as settled
      from auth.users
"""
# Subject: what to read from, the link, an e-mail, and what tells a row that is alive.
TABLES = {
    faults.PROFILES: "id, lower(email), true from public.profiles",
    faults.ACCOUNTS: "auth_user_id, null, true from app.accounts",
    faults.TICKETS: "owner, null, true from app.tickets",
    faults.EVENTS: "user_id, null, true from app.events",
    faults.REVIEWS: "auth_user_id, null, true from app.reviews",
    faults.ORDERS: "user_id, null, true from app.orders",
    faults.LEADS: "user_ref, null, true from crm.leads",
    faults.MEMBERS: "user_id, null, deleted_at is null from crm.members",
    faults.ODD: '"User Id", null, true from "Odd Schema"."Acct ""x"""',
}
ONE_PER_USER = {faults.PROFILES, faults.ACCOUNTS, faults.LEADS, faults.MEMBERS}
HEX = frozenset("0123456789abcdef")


def key(written: str) -> str | None:
    """Read a uuid in any spelling; None when it is none."""
    plain = written.lower().strip("{}").replace("-", "")
    return plain if len(plain) == 32 and HEX.issuperset(plain) else None


def link_faults(subject: str, rows: list[Any], users: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Count the faults of one link table; guests (NULL and '') have none."""
    written = [row for row in rows if row["link"]]
    keys = {id(row): key(row["link"]) for row in written}
    owned = [(row, users[keys[id(row)]]) for row in written if keys[id(row)] in users]  # type: ignore[index]
    yield "malformed", sum(each is None for each in keys.values())
    yield (
        "orphaned_profile",
        sum(keys[id(row)] is not None and keys[id(row)] not in users and row["old"] for row in written),
    )
    yield "soft_deleted_user", sum(user["deleted"] and row["lives"] for row, user in owned)
    yield "banned_user", sum(user["banned"] for _, user in owned)
    if subject in ONE_PER_USER:
        yield "duplicate", sum(many > 1 for each, many in Counter(keys.values()).items() if each)
    if subject == faults.PROFILES:
        yield "missing_profile", sum(user["settled"] for each, user in users.items() if each not in keys.values())
        drifted = [(row["email"], user) for row, user in owned if row["email"] and user["email"]]
        yield (
            "email_drift",
            sum(email != user["email"] and not user["changing"] and not user["deleted"] for email, user in drifted),
        )


async def of_links(database: Database) -> dict[str, dict[str, int]]:
    """Give rule, subject and count of every fault of a link's rows."""
    users = {user["key"]: user for user in await database.fetch(STATES)}
    found: dict[str, dict[str, int]] = {}
    for subject, columns in TABLES.items():
        link, email, rest = columns.split(", ", 2)
        lives, table = rest.split(" from ")
        sql = (
            f"select {link}::text as link, {email}::text as email, {lives} as lives,"
            f" created_at < now() - interval '5 minutes' as old from {table}"
        )
        for rule, count in link_faults(subject, await database.fetch(sql), users):
            if count:
                found.setdefault(f"auth_links.{rule}", {})[subject] = count
    return found


async def of_auth(database: Database) -> tuple[dict[str, int], dict[str, int]]:
    """Give the counts by rule, and those of what is not cleaned by table."""
    rules = {rule: int(await database.value(f"select count(*) {sql}")) for rule, sql in AUTH.items()}
    stale = {name: int(await database.value(f"select count(*) from auth.{name} {w}")) for name, w in CLEANED.items()}
    return rules, stale

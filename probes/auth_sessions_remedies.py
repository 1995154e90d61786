"""What to do about sessions and tokens that should not be: SQL where there is no choice, words where there is."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.probe import Remedy, identifier, literal, sight
from probes.auth_repair import checked, checked_telling

AGAIN = "Their people must sign in again; what is deleted or revoked cannot be brought back."
CHECKED = "It changes nothing when it meets more than were counted; then look at the newest finding."
OWNER = f"case when t.user_id ~ {literal(sight.UUID)} then t.user_id::uuid end"
"""Whose a refresh token t is, however that is spelled."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where something is to be mended: GoTrue's schema, the columns its level lacks, and how many were counted."""

    schema: str
    lacks: frozenset[str] = frozenset()
    count: int = 0

    def table(self, name: str) -> str:
        """Give a table's name as SQL has it."""
        return identifier(self.schema, name)

    def having(self, condition: str, *columns: str) -> str:
        """Give a condition, " and" before it, where this level has its columns."""
        return "" if self.lacks.intersection(columns) else f" and {condition}"

    @property
    def open(self) -> str:
        """Give the condition that session s is before its end, as the probe counts it."""
        return self.having("(s.not_after > now()) is not false", "sessions.not_after")

    def mend(self, change: str, caution: str) -> Remedy:
        """Make a change to no more rows than were counted."""
        return Remedy(sql=(checked(change, self.count),), caution=f"{caution} {CHECKED}")

    def mend_told(self, change: str, things: str, caution: str) -> Remedy:
        """Make a change that tells itself how many `things` it met."""
        return Remedy(sql=(checked_telling(change, self.count, things),), caution=f"{caution} {CHECKED}")


def banned_sessions(place: Place) -> Remedy:
    """Delete the live sessions of users who are banned now."""
    return _sessions_of(place, "u.banned_until > now()")


def deleted_sessions(place: Place) -> Remedy:
    """Delete the live sessions of users who are deleted."""
    return _sessions_of(place, "u.deleted_at is not null")


def _sessions_of(place: Place, condition: str) -> Remedy:
    """Those that can still be refreshed; their tokens go with them."""
    tokens = f"exists (select from {place.table('refresh_tokens')} r where r.session_id = s.id and r.revoked is false)"
    own = "sessions.refresh_token_counter" not in place.lacks
    live = f"(s.refresh_token_counter is not null or {tokens})" if own else tokens
    return place.mend(
        f"delete from {place.table('sessions')} s using {place.table('users')} u where u.id = s.user_id and "
        f"{condition}{place.open} and {live}",
        "What is deleted cannot be brought back.",
    )


def orphaned_tokens(place: Place) -> Remedy:
    """Delete refresh tokens of nobody."""
    tokens, users = place.table("refresh_tokens"), place.table("users")
    return place.mend(
        f"delete from {tokens} t where t.user_id is not null and not exists "
        f"(select from {users} u where u.id = {OWNER})",
        "They are of no use to anybody. It reads the whole table.",
    )


def mismatched_tokens(place: Place) -> Remedy:
    """Delete the sessions that hold them; but they are traces, and how they came about is to be found out first."""
    tokens, sessions = place.table("refresh_tokens"), place.table("sessions")
    found = f"from {tokens} t join {sessions} s on s.id = t.session_id where {OWNER} <> s.user_id"
    return place.mend_told(
        f"with found as materialized (select t.id, t.session_id {found}), gone as (delete from {sessions} s using "
        "found where s.id = found.session_id) select count(*) from found",
        "tokens",
        "The statement removes the traces: first find out how the tokens came about, for GoTrue never makes one, and "
        f"keep what this shows: select t.id, t.created_at, t.revoked, t.user_id, s.user_id {found}. Then it deletes "
        "the sessions that hold such a token, and all their tokens with them: whoever uses one must sign in again.",
    )


def crowded_sessions(place: Place) -> Remedy:
    """Revoke the whole family, as GoTrue does when a token is used twice."""
    tokens = place.table("refresh_tokens")
    return place.mend_told(
        f"with revoked as (update {tokens} set revoked = true, updated_at = now() where revoked is false and "
        f"session_id in (select session_id from {tokens} where revoked is false and (created_at < now() - "
        "interval '1 minute') is not false group by session_id having count(*) > 1) returning session_id) "
        "select count(distinct session_id) from revoked",
        "sessions",
        AGAIN,
    )


def overdue_tokens(place: Place) -> Remedy:
    """Revoke them, as GoTrue's own cleanup would."""
    tokens, sessions = place.table("refresh_tokens"), place.table("sessions")
    return place.mend(
        f"update {tokens} t set revoked = true, updated_at = now() from {sessions} s where s.id = t.session_id "
        "and s.not_after < now() - interval '24 hours' and t.revoked is false",
        "The sessions are over: nobody notices.",
    )


def bare_sessions(place: Place) -> Remedy:
    """Delete sessions that claim a second factor which their user does not have."""
    return _without_factor(place, "s.aal::text = 'aal2'", "f.user_id = s.user_id and f.status::text = 'verified'")


def lost_factors(place: Place) -> Remedy:
    """Delete sessions that name a factor which is not there."""
    return _without_factor(place, "s.factor_id is not null", "f.id = s.factor_id")


def _without_factor(place: Place, condition: str, factor: str) -> Remedy:
    passkey = "c.id = s.factor_id" if "factor_id" in factor else "c.user_id = s.user_id"
    credentials = f"not exists (select from {place.table('webauthn_credentials')} c where {passkey})"
    return place.mend(
        f"delete from {place.table('sessions')} s where {condition}{place.open} and not exists "
        f"(select from {place.table('mfa_factors')} f where {factor})"
        f"{place.having(credentials, 'webauthn_credentials.user_id')}",
        AGAIN,
    )


def orphaned_states(place: Place) -> Remedy:
    """Delete flows of users who are gone."""
    states, users = place.table("flow_state"), place.table("users")
    return place.mend(
        f"delete from {states} f where f.user_id is not null and not exists "
        f"(select from {users} u where u.id = f.user_id)",
        "A sign-in under way of a deleted user ends with it.",
    )


def cleanup(place: Place, table: str) -> Remedy:
    """Say where to look: rows are a symptom."""
    name = place.table(table)
    if table == "one_time_tokens":
        return Remedy(
            caution=(
                f"GoTrue removes a token when it is used or sent anew, and leaves the rest. No link is good for longer "
                f"than a day: delete from {name} what is older, some thousands of rows at a time."
            )
        )
    return Remedy(
        caution=(
            f"GoTrue clears {name} after successful requests, a hundred rows each. Look in its log for errors of the "
            f"cleanup (a missing right, a lock, a statement timeout, a trigger on {name}), and whether it is GoTrue "
            "that serves the sign-ins. Once it works the rest goes by itself; a great pile is better deleted by hand, "
            "some thousands of rows at a time."
        )
    )

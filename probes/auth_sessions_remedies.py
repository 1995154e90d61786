"""What to do about sessions and tokens that should not be: SQL where there is no choice, words where there is."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.probe import Remedy, identifier, literal, sight

AGAIN = "Their people must sign in again; what is deleted or revoked cannot be brought back."


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where something is to be mended: GoTrue's schema, and the columns its level lacks."""

    schema: str
    lacks: frozenset[str] = frozenset()

    def table(self, name: str) -> str:
        """Give a table's name as SQL has it."""
        return identifier(self.schema, name)


def banned_sessions(place: Place) -> Remedy:
    """Delete the sessions of users who are banned now."""
    return _sessions_of(place, "u.banned_until > now()")


def deleted_sessions(place: Place) -> Remedy:
    """Delete the sessions of users who are deleted."""
    return _sessions_of(place, "u.deleted_at is not null")


def _sessions_of(place: Place, condition: str) -> Remedy:
    """Their tokens go with them."""
    users = place.table("users")
    delete = f"delete from {place.table('sessions')} s using {users} u where u.id = s.user_id and {condition}"
    return Remedy(sql=("begin", delete, "commit"), caution="What is deleted cannot be brought back.")


def orphaned_tokens(place: Place) -> Remedy:
    """Delete refresh tokens of nobody."""
    tokens, users = place.table("refresh_tokens"), place.table("users")
    key = f"case when t.user_id ~ {literal(sight.UUID)} then t.user_id::uuid end"
    delete = (
        f"delete from {tokens} t where t.user_id is not null and not exists (select from {users} u where u.id = {key})"
    )
    return Remedy(sql=("begin", delete, "commit"), caution="They are of no use to anybody. It reads the whole table.")


def mismatched_tokens(place: Place) -> Remedy:
    """Show them: how they came about must be found out before they are gone."""
    tokens, sessions = place.table("refresh_tokens"), place.table("sessions")
    return Remedy(
        caution=(
            "Find out how they came about first: GoTrue never makes one. To see them: select t.id, t.created_at, "
            f"t.revoked, t.user_id, s.user_id from {tokens} t join {sessions} s on s.id = t.session_id where "
            f"lower(t.user_id) <> s.user_id::text. Then delete these sessions from {sessions}: their tokens go with "
            "them, and both users must sign in again."
        )
    )


def crowded_sessions(place: Place) -> Remedy:
    """Revoke the whole family, as GoTrue does when a token is used twice."""
    tokens = place.table("refresh_tokens")
    revoke = (
        f"update {tokens} set revoked = true, updated_at = now() where revoked is false and session_id in "
        f"(select session_id from {tokens} where revoked is false and coalesce(created_at < now() - "
        "interval '1 minute', true) group by session_id having count(*) > 1)"
    )
    return Remedy(sql=("begin", revoke, "commit"), caution=AGAIN)


def overdue_tokens(place: Place) -> Remedy:
    """Revoke them, as GoTrue's own cleanup would."""
    tokens, sessions = place.table("refresh_tokens"), place.table("sessions")
    revoke = (
        f"update {tokens} t set revoked = true, updated_at = now() from {sessions} s where s.id = t.session_id "
        "and s.not_after < now() - interval '24 hours' and t.revoked is false"
    )
    return Remedy(sql=("begin", revoke, "commit"), caution="The sessions are over: nobody notices.")


def bare_sessions(place: Place) -> Remedy:
    """Delete sessions that claim a second factor which their user does not have."""
    return _without_factor(place, "s.aal::text = 'aal2'", "f.user_id = s.user_id and f.status::text = 'verified'")


def lost_factors(place: Place) -> Remedy:
    """Delete sessions that name a factor which is not there."""
    return _without_factor(place, "s.factor_id is not null", "f.id = s.factor_id")


def _without_factor(place: Place, condition: str, factor: str) -> Remedy:
    passkey = "c.id = s.factor_id" if "factor_id" in factor else "c.user_id = s.user_id"
    credentials = f" and not exists (select from {place.table('webauthn_credentials')} c where {passkey})"
    delete = (
        f"delete from {place.table('sessions')} s where {condition} and not exists "
        f"(select from {place.table('mfa_factors')} f where {factor})"
        f"{'' if 'webauthn_credentials.user_id' in place.lacks else credentials}"
    )
    return Remedy(sql=("begin", delete, "commit"), caution=AGAIN)


def orphaned_states(place: Place) -> Remedy:
    """Delete flows of users who are gone."""
    states, users = place.table("flow_state"), place.table("users")
    delete = (
        f"delete from {states} f where f.user_id is not null and not exists "
        f"(select from {users} u where u.id = f.user_id)"
    )
    return Remedy(sql=("begin", delete, "commit"), caution="A sign-in under way of a deleted user ends with it.")


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

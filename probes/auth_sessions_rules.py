"""What must not be among sessions and refresh tokens: each rule reads one count of one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import Remedy, Severity
from probes.auth_sessions_judging import SessionRule
from probes.auth_sessions_remedies import (
    Place,
    banned_sessions,
    bare_sessions,
    crowded_sessions,
    deleted_sessions,
    lost_factors,
    mismatched_tokens,
    orphaned_states,
    orphaned_tokens,
    overdue_tokens,
)


@dataclass(frozen=True, kw_only=True)
class BannedLiveSession(SessionRule):
    """Banned users have sessions that are still alive.

    Why: a ban keeps people from signing in and from refreshing, but access tokens already given out go on until they
    end, and the day the ban ends the old sessions work again, also in the hands of whoever the ban was for.
    What to do: run the printed SQL; it deletes the live sessions of users who are banned now.
    When it is wrong: a ban that is meant to leave sessions asleep. Bans that have ended, sessions past their not_after,
    and sessions without a token that could refresh them are not counted.
    Cost: one pass over auth.users in slices of some ten milliseconds, a hundredth of the time at most.
    """

    id: ClassVar[str] = "auth.banned_live_session"
    part: ClassVar[str] = "users"
    counted: ClassVar[str] = "banned"
    accused: ClassVar[str] = "sessions"
    what: ClassVar[tuple[str, str]] = ("live session of a user who is banned", "live sessions of users who are banned")
    impact: ClassVar[str] = (
        "who was banned may go on until the access token ends, and comes back with the old session after the ban"
    )
    mend: ClassVar[Callable[[Place], Remedy]] = staticmethod(banned_sessions)
    columns: ClassVar[tuple[str, ...]] = ("users.banned_until",)
    severity: Severity = Severity.CRITICAL


@dataclass(frozen=True, kw_only=True)
class SoftDeletedLiveSession(SessionRule):
    """Deleted users have sessions that are still alive.

    Why: GoTrue deletes the sessions of a user it deletes softly; one that is left was made or kept by something else,
    and lets a person in whose account is said to be gone.
    What to do: run the printed SQL; it deletes the live sessions of users whose deleted_at is set.
    When it is wrong: sessions past their not_after, or without a token that could refresh them, are not counted.
    Cost: comes with the pass over auth.users that auth.banned_live_session needs.
    """

    id: ClassVar[str] = "auth.soft_deleted_live_session"
    part: ClassVar[str] = "users"
    counted: ClassVar[str] = "deleted"
    accused: ClassVar[str] = "sessions"
    what: ClassVar[tuple[str, str]] = (
        "live session of a user who is deleted",
        "live sessions of users who are deleted",
    )
    impact: ClassVar[str] = "an account that is said to be gone can still be used"
    mend: ClassVar[Callable[[Place], Remedy]] = staticmethod(deleted_sessions)
    columns: ClassVar[tuple[str, ...]] = ("users.deleted_at",)
    severity: Severity = Severity.CRITICAL


@dataclass(frozen=True, kw_only=True)
class RefreshTokenOrphan(SessionRule):
    """Refresh tokens belong to no user.

    Why: refresh_tokens.user_id is a text without a foreign key, so nothing removes a user's tokens that hang on no
    session; they are left over from deletes past GoTrue, from restores, or from imports.
    What to do: run the printed SQL; it deletes the tokens whose user_id is no user, or no uuid at all.
    When it is wrong: tokens without any user_id are not counted; uuids are compared as uuids, however they are spelled.
    Cost: one pass over auth.refresh_tokens in slices of some ten milliseconds, a hundredth of the time at most; the
    newest slice in every run.
    """

    id: ClassVar[str] = "auth.refresh_token_orphan"
    part: ClassVar[str] = "refresh_tokens"
    counted: ClassVar[str] = "orphans"
    accused: ClassVar[str] = "refresh_tokens"
    what: ClassVar[tuple[str, str]] = ("refresh token belongs to no user", "refresh tokens belong to no user")
    impact: ClassVar[str] = "they are of no use, and show that users were removed past GoTrue"
    mend: ClassVar[Callable[[Place], Remedy]] = staticmethod(orphaned_tokens)
    beside: ClassVar[Mapping[str, str]] = {"malformed": "malformed"}
    severity: Severity = Severity.WARNING


@dataclass(frozen=True, kw_only=True)
class RefreshTokenMismatch(SessionRule):
    """Refresh tokens belong to another user than their session.

    Why: who holds such a token refreshes a session as somebody else. GoTrue never makes one: data was written past it,
    by a faulty migration or by an attacker.
    What to do: find out how they came about, and keep what the remedy's caution shows; then run the printed SQL, which
    deletes the sessions that hold such tokens, and the traces with them.
    When it is wrong: a spelling of a uuid in upper case or braces is no other user; revoked tokens are counted too, for
    they are traces.
    Cost: comes with the pass over auth.refresh_tokens that auth.refresh_token_orphan needs.
    """

    id: ClassVar[str] = "auth.refresh_token_mismatch"
    part: ClassVar[str] = "refresh_tokens"
    counted: ClassVar[str] = "mismatches"
    accused: ClassVar[str] = "refresh_tokens"
    what: ClassVar[tuple[str, str]] = (
        "refresh token belongs to another user than its session",
        "refresh tokens belong to another user than their session",
    )
    impact: ClassVar[str] = "who holds one may act as somebody else"
    mend: ClassVar[Callable[[Place], Remedy]] = staticmethod(mismatched_tokens)
    beside: ClassVar[Mapping[str, str]] = {"live": "mismatches_live"}
    severity: Severity = Severity.CRITICAL


@dataclass(frozen=True, kw_only=True)
class ManyLiveTokens(SessionRule):
    """Sessions have more than one refresh token that is not revoked.

    Why: GoTrue revokes the old token when it gives the new one, and takes the use of an old one for a theft; where two
    live side by side, a stolen one goes unnoticed.
    What to do: run the printed SQL; it revokes all tokens of these sessions, as GoTrue does with a stolen family.
    When it is wrong: tokens younger than a minute are not counted: they may be exchanged just now.
    Cost: comes with the pass over auth.refresh_tokens that auth.refresh_token_orphan needs.
    """

    id: ClassVar[str] = "auth.many_live_tokens"
    part: ClassVar[str] = "refresh_tokens"
    counted: ClassVar[str] = "crowded"
    accused: ClassVar[str] = "sessions"
    what: ClassVar[tuple[str, str]] = (
        "session has more than one live refresh token",
        "sessions have more than one live refresh token",
    )
    impact: ClassVar[str] = "a stolen token that is used beside the rightful one goes unnoticed"
    mend: ClassVar[Callable[[Place], Remedy]] = staticmethod(crowded_sessions)
    severity: Severity = Severity.WARNING


@dataclass(frozen=True, kw_only=True)
class LiveTokenExpiredSession(SessionRule):
    """Refresh tokens are live though their session ended more than a day ago.

    Why: GoTrue's cleanup revokes them a day after the session's not_after; that it does not shows that it is not
    running, and what should be over for good hangs on one check only.
    What to do: run the printed SQL, which does what the cleanup would, and see auth.cleanup_stalled.
    When it is wrong: the cleanup rides on requests: a project that nobody uses at night is a little late.
    Cost: comes with the pass over auth.refresh_tokens that auth.refresh_token_orphan needs.
    """

    id: ClassVar[str] = "auth.live_token_expired_session"
    part: ClassVar[str] = "refresh_tokens"
    counted: ClassVar[str] = "overdue"
    accused: ClassVar[str] = "refresh_tokens"
    what: ClassVar[tuple[str, str]] = (
        "live refresh token of a session that ended more than a day ago",
        "live refresh tokens of sessions that ended more than a day ago",
    )
    impact: ClassVar[str] = "GoTrue's cleanup does not revoke what is over"
    mend: ClassVar[Callable[[Place], Remedy]] = staticmethod(overdue_tokens)
    columns: ClassVar[tuple[str, ...]] = ("sessions.not_after",)
    severity: Severity = Severity.WARNING


@dataclass(frozen=True, kw_only=True)
class Aal2WithoutFactor(SessionRule):
    """Sessions claim a second factor, and their user has none.

    Why: policies that ask for aal2 let such a session pass though nobody ever showed a second factor, or the factor is
    gone. GoTrue takes sessions back to aal1 when it removes a factor.
    What to do: run the printed SQL; it deletes these sessions.
    When it is wrong: a factor that was removed just now: `hold` waits five minutes. Passkeys count as a factor;
    sessions past their not_after are not counted.
    Cost: one pass over auth.sessions in slices of some ten milliseconds, a hundredth of the time at most; factors of
    aal2 sessions are looked up by user.
    """

    id: ClassVar[str] = "auth.aal2_without_factor"
    part: ClassVar[str] = "sessions"
    counted: ClassVar[str] = "bare"
    accused: ClassVar[str] = "sessions"
    what: ClassVar[tuple[str, str]] = (
        "session claims a second factor that its user does not have",
        "sessions claim a second factor that their user does not have",
    )
    impact: ClassVar[str] = "what asks for a second factor lets them pass"
    mend: ClassVar[Callable[[Place], Remedy]] = staticmethod(bare_sessions)
    ripens: ClassVar[bool] = True
    columns: ClassVar[tuple[str, ...]] = ("sessions.aal", "mfa_factors.user_id", "mfa_factors.status")
    severity: Severity = Severity.CRITICAL
    hold: float = 300.0


@dataclass(frozen=True, kw_only=True)
class SessionFactorMissing(SessionRule):
    """Sessions name a factor that does not exist.

    Why: sessions.factor_id has no foreign key. GoTrue clears it when it removes a factor; where it was removed past
    GoTrue, the session goes on as if the factor were there.
    What to do: run the printed SQL; it deletes these sessions.
    When it is wrong: a factor that was removed just now: `hold` waits five minutes. Sessions past their not_after are
    not counted.
    Cost: comes with the pass over auth.sessions that auth.aal2_without_factor needs.
    """

    id: ClassVar[str] = "auth.session_factor_missing"
    part: ClassVar[str] = "sessions"
    counted: ClassVar[str] = "lost"
    accused: ClassVar[str] = "sessions"
    what: ClassVar[tuple[str, str]] = (
        "session names a factor that does not exist",
        "sessions name a factor that does not exist",
    )
    impact: ClassVar[str] = "the session goes on though the factor it was raised with is gone"
    mend: ClassVar[Callable[[Place], Remedy]] = staticmethod(lost_factors)
    ripens: ClassVar[bool] = True
    columns: ClassVar[tuple[str, ...]] = ("sessions.factor_id", "mfa_factors.id")
    severity: Severity = Severity.WARNING
    hold: float = 300.0


@dataclass(frozen=True, kw_only=True)
class FlowStateOrphan(SessionRule):
    """Sign-in flows belong to no user.

    Why: flow_state.user_id has no foreign key, and a flow keeps its provider's tokens in clear; those of a user who was
    deleted are personal data that was to go.
    What to do: run the printed SQL; it deletes these flows. GoTrue's cleanup does the same after a day.
    When it is wrong: flows that have no user yet are not counted.
    Cost: one pass over auth.flow_state; users are looked up by primary key.
    """

    id: ClassVar[str] = "auth.flow_state_orphan"
    part: ClassVar[str] = "flow_state"
    counted: ClassVar[str] = "orphans"
    accused: ClassVar[str] = "flow_state"
    what: ClassVar[tuple[str, str]] = ("sign-in flow belongs to no user", "sign-in flows belong to no user")
    impact: ClassVar[str] = "tokens of providers outlive the user they were for"
    mend: ClassVar[Callable[[Place], Remedy]] = staticmethod(orphaned_states)
    severity: Severity = Severity.INFO

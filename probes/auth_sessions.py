"""Sessions, refresh tokens, factors and flows of Supabase Auth (GoTrue): what must not be among them, and what is left.

Goes through auth.users, auth.sessions and auth.refresh_tokens slice by slice, at most a hundredth of the time.
"""

from __future__ import annotations

from monitor.probe import Probe, Scope, Trend, gauges
from probes.auth_links_options import AuthOptions
from probes.auth_sessions_cleanup import CleanupStalled
from probes.auth_sessions_reading import observe
from probes.auth_sessions_rules import (
    Aal2WithoutFactor,
    BannedLiveSession,
    FlowStateOrphan,
    LiveTokenExpiredSession,
    ManyLiveTokens,
    RefreshTokenMismatch,
    RefreshTokenOrphan,
    SessionFactorMissing,
    SoftDeletedLiveSession,
)

PROBE = Probe(
    name="auth_sessions",
    scope=Scope.DATABASE,
    every=60,
    timeout=5.0,
    observe=observe,
    key=("table",),
    labels=("table",),
    metrics=gauges(
        {
            "live": "Sessions before their end (not_after), and refresh tokens that are not revoked.",
            "expired": "Sessions past their end (not_after).",
            "revoked": "Refresh tokens that are revoked.",
            "sweep_progress_ratio": "The share of the table that the present turn has looked at.",
            "sweep_age_seconds": "Time since the last turn through the table ended.",
        }
    ),
    trends=(
        Trend(
            name="rows",
            key=("table",),
            gauges=("live", "expired", "revoked", "sweep_progress_ratio"),
            latest=("sweep_age_seconds",),
            every=300,
        ),
    ),
    options=AuthOptions(),
    section="auth",
    rules=(
        BannedLiveSession(),
        SoftDeletedLiveSession(),
        RefreshTokenOrphan(),
        RefreshTokenMismatch(),
        ManyLiveTokens(),
        LiveTokenExpiredSession(),
        Aal2WithoutFactor(),
        SessionFactorMissing(),
        CleanupStalled(),
        FlowStateOrphan(),
    ),
)

__all__ = [
    "PROBE",
    "Aal2WithoutFactor",
    "BannedLiveSession",
    "CleanupStalled",
    "FlowStateOrphan",
    "LiveTokenExpiredSession",
    "ManyLiveTokens",
    "RefreshTokenMismatch",
    "RefreshTokenOrphan",
    "SessionFactorMissing",
    "SoftDeletedLiveSession",
]

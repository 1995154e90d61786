"""Accounts of auth.users (Supabase Auth, GoTrue): how many are in which state, and which are stuck, doubled or broken.

One pass over the users in slices, by our own role or a lent function; only counts leave the server.
"""

from __future__ import annotations

import time
from dataclasses import replace

from monitor.probe import Aside, Kind, Measurement, Memory, Metric, Probe, Scope, Session, Trend, gauges
from probes.auth_accounts_faults import (
    EmailCaseDuplicate,
    IdentityEmailMismatch,
    NullTokenColumns,
    PrivilegedRole,
    SuperAdmin,
    UserWithoutIdentity,
)
from probes.auth_accounts_reading import accounts_of, observe
from probes.auth_accounts_rules import AnonymousStale, InviteExpired, Unconfirmed
from probes.auth_links_options import AuthOptions

WHOLE = Aside(
    name="whole",
    labels=(),
    metrics=gauges(
        {
            "identities": "Rows of identities, of the users that were looked at.",
            "sweep_progress_ratio": "How much of users the running turn has looked at; 1 between two turns.",
            "sweep_age_seconds": "How long ago the last full turn over users ended.",
        }
    ),
)


async def detail(_session: Session, _memory: Memory, seen: Measurement) -> Measurement:
    """Add what is one number for the whole database."""
    reading = accounts_of(seen.rows)
    known = reading.whole and reading.unable("identities") is None
    row = {
        "identities": reading.count("identities") if known else None,
        "sweep_progress_ratio": None if reading.unable("users") else reading.part,
        "sweep_age_seconds": None if reading.turned_at is None else max(0.0, time.time() - reading.turned_at),
    }
    return replace(seen, asides={WHOLE.name: [row]})


PROBE = Probe(
    name="auth_accounts",
    scope=Scope.DATABASE,
    every=60,
    timeout=5.0,
    observe=observe,
    detail=detail,
    key=("state",),
    labels=("state",),
    metrics=(Metric("users", Kind.GAUGE, "Accounts, each in one state; deleted beats banned beats the others."),),
    asides=(WHOLE,),
    trends=(
        Trend(name="users", key=("state",), gauges=("users",), every=300),
        Trend(name="sweep", aside="whole", gauges=("sweep_progress_ratio",), latest=("sweep_age_seconds",)),
    ),
    options=AuthOptions(),
    section="auth",
    rules=(
        Unconfirmed(),
        InviteExpired(),
        AnonymousStale(),
        EmailCaseDuplicate(),
        UserWithoutIdentity(),
        IdentityEmailMismatch(),
        NullTokenColumns(),
        PrivilegedRole(),
        SuperAdmin(),
    ),
)

__all__ = ["PROBE"]

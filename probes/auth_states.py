"""Rows of link tables against the state of their user: malformed ids, second rows, deleted and banned users, addresses.

Reads the tables in slices of blocks that take about 10 ms, and the users by primary key; at most 1 % of the time.
"""

from __future__ import annotations

from monitor.probe import Kind, Metric, Probe, Scope, Trend
from probes.auth_links_options import AuthOptions
from probes.auth_states_addresses import EmailCopy, EmailDrift
from probes.auth_states_reading import SWEEPS, detail, observe
from probes.auth_states_rules import BannedUser, Duplicate, Malformed, SoftDeletedUser

PROBE = Probe(
    name="auth_states",
    scope=Scope.DATABASE,
    every=60,
    timeout=5.0,
    observe=observe,
    detail=detail,
    key=("link", "state"),
    labels=("link", "state"),
    metrics=(
        Metric("rows", Kind.GAUGE, "Rows that disagree with their user's state (of duplicate: users with two rows)."),
    ),
    asides=(SWEEPS,),
    trends=(Trend(name="rows", key=("link", "state"), gauges=("rows",), every=300, most=100),),
    options=AuthOptions(),
    section="auth",
    rules=(Malformed(), Duplicate(), SoftDeletedUser(), BannedUser(), EmailCopy(), EmailDrift()),
)

__all__ = ["PROBE", "BannedUser", "Duplicate", "EmailCopy", "EmailDrift", "Malformed", "SoftDeletedUser"]

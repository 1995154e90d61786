"""What sessions do just now: samples of their states and waits, and how their statements give their values.

A sample holds the active sessions and those whose statement began since the sample before: short ones are caught by
that. Sessions idle with an older text are never sent. Texts are digested at once (activity_forms); no constant is kept.
Cost, 50 sessions active: on the server 0.3 ms more than counting pg_stat_activity; here 1.5 ms, 1 of it for the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitor.probe import Measurement, Memory, Needs, Probe, ProbeSkipped, Row, Scope, Session, of_kind
from probes.activity_forms import Forms, without
from probes.activity_waits import DETAIL, WAITS, DominantWait, Waits

__all__ = ["PROBE", "ActivityOptions"]

TEXT_BYTES = 8192
"""At most so much of a text is read; the server itself cuts at track_activity_query_size, 1 kB unless set."""


@dataclass(frozen=True, kw_only=True)
class ActivityOptions:
    """What `probes: {activity: …}` sets."""

    remember: float = 3600.0
    """For how long a sampled statement, or an attack, is remembered, in seconds."""
    statements: int = 500
    """How many statements are remembered; the one not seen for longest makes room."""

    def __post_init__(self) -> None:
        """Refuse a memory that is none."""
        if self.remember <= 0 or not 1 <= self.statements <= MOST:
            raise ValueError(f"remember should be above 0, and statements between 1 and {MOST}")


MOST = 5000

# $1 is the time of the sample before, by the server's clock. A text that was sent with an earlier sample is not sent
# again. textsend: a text may hold bytes that are no characters of this database. Names are looked up for few rows.
# Our own sessions (a replica's too) have our role and name; who else uses our role is sampled, and is no application.
SQL = """
    with sampled as materialized (
        select datid, usesysid, application_name, state, wait_event_type, wait_event, query_id, query,
               coalesce(query_start > coalesce($1::timestamptz, statement_timestamp() - interval '5 s'), false) as began
          from pg_catalog.pg_stat_get_activity(null)
         where backend_type = 'client backend'
           and pid <> pg_catalog.pg_backend_pid()
           and (state = 'active'
                or query_start > coalesce($1::timestamptz, statement_timestamp() - interval '5 s'))
         limit 1000
    ),
    me as (
        select state, query_id from pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())
    )
    select 'whole' as kind, '' as database, '' as role, false as superuser, false as own, '' as application,
           (select state from me) as state, null as wait_event_type, null as wait_event,
           (select query_id from me) as query_id, null::bytea as text,
           statement_timestamp() as taken_at,
           pg_catalog.pg_size_bytes(pg_catalog.current_setting('track_activity_query_size')) as text_limit,
           pg_catalog.current_setting('compute_query_id') as ids
     union all
    select 'session', coalesce(d.datname::text, ''), coalesce(r.rolname::text, ''), coalesce(r.rolsuper, false),
           coalesce(r.rolname = current_user, false), a.application_name, coalesce(a.state, 'starting'),
           a.wait_event_type, a.wait_event, a.query_id,
           case when a.began then pg_catalog.substr(pg_catalog.textsend(a.query), 1, 8192) end,
           null, null, null
      from sampled a
      left join pg_catalog.pg_database d on d.oid = a.datid
      left join pg_catalog.pg_roles r on r.oid = a.usesysid
     where (a.application_name = 'pgarchitect' and r.rolname = current_user) is not true
"""


async def observe(session: Session, memory: Memory, options: object) -> Sequence[Row]:
    """Take a sample; of each text only what may be known of it stays."""
    chosen = options if isinstance(options, ActivityOptions) else ActivityOptions()
    forms = memory.of(Forms)
    whole, *sampled = await session.fetch(SQL, forms.before)
    _check(whole)
    forms.begin(whole["taken_at"], remember=chosen.remember, most=chosen.statements)
    limit = whole["text_limit"]
    full = min(limit - FEW, TEXT_BYTES) if isinstance(limit, int) else TEXT_BYTES
    rows = [forms.take(row, cut_at=full) for row in sampled]
    return [{**without(whole), "sessions": len(rows), "samples": forms.samples}, *rows]


FEW = 4
"""The server cuts between characters: up to four bytes before its limit."""


def _check(me: Row) -> None:
    """See by our own session whether the server tells what sessions do."""
    if me["state"] == "disabled":
        raise ProbeSkipped(
            "track_activities is off: sessions do not report their statements; run: alter system set track_activities "
            "= on; select pg_reload_conf()",
            Needs.SETTING,
        )
    if me["query_id"] is None or me["ids"] == "off":  # a plan made before it was switched off keeps its id
        raise ProbeSkipped(
            "statements have no query_id: compute_query_id is off, or auto without pg_stat_statements; run: "
            "alter system set compute_query_id = on; select pg_reload_conf()",
            Needs.SETTING,
        )


async def detail(_session: Session, memory: Memory, seen: Measurement) -> Measurement:
    """Show the memory: statements whose values were given in some way, attacks, and what sessions waited for."""
    waits = memory.of(Waits)
    waits.take(seen.taken_at.timestamp(), of_kind(seen.rows, "session"))
    return replace(
        seen,
        details={**dict(memory.of(Forms).shown()), DETAIL: waits.shown()},
        asides={WAITS.name: waits.classes()},
    )


PROBE = Probe(
    name="activity",
    scope=Scope.SERVER,
    every=15,
    samples=True,
    needs=("role:pg_read_all_stats",),
    observe=observe,
    detail=detail,
    options=ActivityOptions(),
    asides=(WAITS,),
    rules=(DominantWait(),),
)

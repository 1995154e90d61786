"""The server's settings: those that matter as numbers, what changed since we watch, and what waits for a restart.

No text of a setting is read, only a hash that the server computes: some hold passwords. What changed while we were
away is seen, too. Blind for what a role or a database sets for itself. Cost: pg_settings, 2 ms every 5 minutes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import ClassVar

from monitor.probe import (
    Area,
    Finding,
    Kind,
    Measurement,
    Memory,
    Metric,
    NoVerdict,
    Object,
    Probe,
    Remedy,
    Row,
    Rule,
    Scope,
    Session,
    number,
)
from probes.settings_memory import SettingsOptions, advised

# What our own session set for itself is of no one else: its source is the session or the client.
SQL = """
    select name::text as setting,
           pending_restart::int as restart_pending,
           null::float8 as changed_timestamp_seconds,
           null::float8 as usual_bytes,
           case when source not in ('session', 'client') and context <> 'internal' and name not like '%.%'
                then pg_catalog.hashtextextended(coalesce(reset_val, ''), 0)::text end as digest,
           case when name = any (array[
               'autovacuum', 'autovacuum_freeze_max_age', 'autovacuum_max_workers',
               'autovacuum_multixact_freeze_max_age', 'autovacuum_naptime', 'autovacuum_vacuum_cost_delay',
               'autovacuum_vacuum_scale_factor', 'autovacuum_work_mem', 'bgwriter_delay',
               'checkpoint_completion_target', 'checkpoint_timeout', 'data_checksums', 'deadlock_timeout',
               'effective_cache_size', 'effective_io_concurrency', 'fsync', 'full_page_writes',
               'hot_standby_feedback', 'log_min_duration_statement', 'maintenance_work_mem', 'max_connections',
               'max_locks_per_transaction', 'max_parallel_workers', 'max_prepared_transactions',
               'max_replication_slots', 'max_slot_wal_keep_size', 'max_standby_streaming_delay', 'max_wal_senders',
               'max_wal_size', 'max_worker_processes', 'random_page_cost', 'reserved_connections', 'shared_buffers',
               'superuser_reserved_connections', 'track_io_timing', 'wal_buffers', 'wal_keep_size', 'work_mem'])
           then case when vartype = 'bool' then (reset_val = 'on')::int::float8
                     when vartype in ('integer', 'real') then
                          case when reset_val::float8 < 0 then reset_val::float8
                               else reset_val::float8 * case unit when 'kB' then 1024 when '8kB' then 8192
                                    when 'MB' then 1048576 when 'ms' then 0.001 when 'min' then 60 else 1 end end
                end end as value
      from pg_catalog.pg_settings
     order by name
     limit 2000
"""

REMEMBERED = 50
"""So many settings that changed are told, the newest."""


@dataclass(frozen=True, kw_only=True)
class PendingRestart(Rule):
    """A changed setting waits for a restart.

    Why: whoever changed it believes that it holds. It comes with the next restart, which may be a crash at night;
    a value the server cannot start with is found out then.
    What to do: restart the server at a time of your choice, or take the change back and reload.
    When it is wrong: a restart that is planned already. Silence it until then, or raise `hold`.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "settings.pending_restart"
    area: ClassVar[Area] = Area.SECURITY
    hold: float = 3600.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in seen.rows:
            if row["restart_pending"]:
                yield self._accuse(seen, str(row["setting"]))

    def _accuse(self, seen: Measurement, setting: str) -> Finding:
        return self.finding(
            seen,
            subject=setting,
            object=Object("setting", name=setting),
            summary=f"{setting} was changed in the configuration and takes effect with the next restart only",
            impact="the server does not run as its configuration says, and will change at its next restart",
            remedy=Remedy(
                caution=f"Restart the server when it suits, or take the change back: alter system reset {setting} (or "
                "undo it in postgresql.conf), then select pg_reload_conf(). Managed services: the provider's console."
            ),
            setting=setting,
        )


class Known:
    """The hashes of all settings seen last, and when which of them changed, the newest last."""

    def __init__(self) -> None:
        self.digests: Mapping[str, str] = {}
        self.changed: dict[str, float] = {}
        self._before: Mapping[str, str] = {}

    def document(self) -> object:
        """Give two bytes of each hash, which tell a change and no password, and when which setting changed."""
        digests = {**self._before, **{name: _short(name, digest) for name, digest in self.digests.items()}}
        return {"digests": digests, "changed": self.changed}

    def restore(self, document: object) -> None:
        """Go on from there."""
        if isinstance(document, dict):
            self._before = dict(document["digests"])
            self.changed = {name: number(document["changed"], name) for name in document["changed"]}

    def take(self, rows: Sequence[Row], at: float) -> None:
        """Note what differs from what was seen before; what is seen for the first time did not change."""
        now = {str(row["setting"]): str(row["digest"]) for row in rows if row["digest"] is not None}
        for name, digest in now.items():
            if self.digests.get(name, digest) != digest or self._differs(name, digest):
                self.changed.pop(name, None)
                self.changed[name] = at
        self.digests = {**self.digests, **now}
        self.changed, self._before = dict(list(self.changed.items())[-REMEMBERED:]), {}

    def _differs(self, name: str, digest: str) -> bool:
        """Tell whether it changed while we were away."""
        return name in self._before and self._before[name] != _short(name, digest)


def _short(name: str, digest: str) -> str:
    return blake2b(f"{name} {digest}".encode(), digest_size=2).hexdigest()


async def detail(_session: Session, memory: Memory, seen: Measurement) -> Measurement:
    """Tell what changed, and export what has a number, changed, or waits for a restart."""
    known, usual = memory.of(Known), _usual(seen)
    known.take(seen.rows, seen.taken_at.timestamp())
    exposed = [
        {
            "setting": row["setting"],
            "value": row["value"],
            "usual_bytes": usual.get(str(row["setting"])),
            "restart_pending": row["restart_pending"],
            "changed_timestamp_seconds": known.changed.get(str(row["setting"])),
        }
        for row in seen.rows
        if row["value"] is not None or row["restart_pending"] or row["setting"] in known.changed
    ]
    return replace(seen, exposed=exposed[:200])


def _usual(seen: Measurement) -> Mapping[str, float]:
    """Give what is usual for the machine's memory, where the configuration names it."""
    machines = seen.options.machines if isinstance(seen.options, SettingsOptions) else ()
    connections = [number(row, "value") for row in seen.rows if row["setting"] == "max_connections"]
    return advised(machines[0].memory_bytes, connections[0]) if machines and connections else {}


PROBE = Probe(
    name="settings",
    scope=Scope.SERVER,
    every=300,
    sql={14: SQL},
    detail=detail,
    options=SettingsOptions(),
    key=("setting",),
    labels=("setting",),
    metrics=(
        Metric("value", Kind.GAUGE, "A setting in bytes, seconds or as it is; on and off are 1 and 0."),
        Metric("usual_bytes", Kind.GAUGE, "What is usual for the machine's memory that the configuration names."),
        Metric("restart_pending", Kind.GAUGE, "1: a changed value waits for a restart."),
        Metric("changed_timestamp_seconds", Kind.GAUGE, "When a changed value was first seen, in seconds since 1970."),
    ),
    rules=(PendingRestart(),),
)

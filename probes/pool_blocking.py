"""Who waits for whom: the sessions that have waited for a lock for a second, and the roots of what they wait for.

Asked only while somebody waits so long, for at most 100 who wait; reading all locks costs 1 ms for each 1,000 of them.
Relations of the database the monitor is connected to have their name, those of another one their oid.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.probe import Needs, ProbeError, ProbeSkipped, ProbeTimeout, Row, Session, number
from probes.pool_groups import safe

# pg_blocking_pids stops the lock manager for a moment, hence the limit; its 0 is a prepared transaction, which has no
# process. Locks of those have no pid either: the one on its own transaction id leads from its other locks to it.
# A wait for a row is one for its writer's transaction; the lock on the tuple that it holds meanwhile names the table.
SQL = """
    with activity as materialized (
        select pid, coalesce(leader_pid, pid) as leader, datid, usesysid, application_name, backend_type, state,
               xact_start, state_change, query_start, wait_event_type is not distinct from 'Lock' as waits,
               application_name = 'pgarchitect'
               and usesysid = (select oid from pg_catalog.pg_roles where rolname = current_user) is true as own
          from pg_catalog.pg_stat_get_activity(null)
    ),
    locks as materialized (
        select locktype, database, relation, transactionid, virtualtransaction, pid, mode, granted, waitstart
          from pg_catalog.pg_lock_status()
         where not granted or pid is null or locktype in ('relation', 'tuple')
    ),
    waiting as materialized (
        select w.*, pg_catalog.pg_blocking_pids(w.pid) as blockers
          from (select a.pid, a.leader, a.datid, a.usesysid,
                       coalesce(nullif(a.application_name, ''), nullif(a.backend_type, 'client backend'), '')
                       as application_name,
                       l.locktype, l.mode, l.transactionid, coalesce(l.waitstart, a.query_start) as since,
                       coalesce(l.database, t.database) as database, coalesce(l.relation, t.relation) as relation
                  from activity a
                  join locks l on l.pid = a.pid and not l.granted
                  left join locks t on t.pid = a.pid and t.granted and t.locktype = 'tuple'
                                       and l.locktype = 'transactionid'
                 where a.waits and not a.own
                   and (coalesce(l.waitstart, a.query_start) <= clock_timestamp() - interval '1 s') is not false
                 order by since
                 limit 100) w
    ),
    held as (
        select w.pid, array_agg(distinct h.mode) as modes
          from waiting w
          join locks h on h.relation = w.relation and h.database = w.database
         where h.granted and h.locktype = 'relation' and coalesce(h.pid, 0) = any (w.blockers)
         group by w.pid
    ),
    prepared as (
        select distinct w.leader, x.transactionid
          from waiting w
          join locks h on h.pid is null
               and (h.transactionid = w.transactionid
                    or h.locktype = 'relation' and h.relation = w.relation and h.database = w.database)
          join locks x on x.pid is null and x.locktype = 'transactionid' and x.virtualtransaction = h.virtualtransaction
         where 0 = any (w.blockers)
    )
    select 'wait' as kind, w.leader as pid, w.blockers,
           extract(epoch from clock_timestamp() - w.since)::float8 as seconds,
           coalesce(d.datname::text, '') as database, coalesce(r.rolname::text, '') as role,
           w.application_name as application, '' as backend_type, '' as state, w.locktype, w.mode,
           case when w.database in (0, (select oid from pg_catalog.pg_database where datname = current_database()))
                then (select pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
                        from pg_catalog.pg_class c
                        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                       where c.oid = w.relation) end as relation,
           w.relation::bigint as relation_oid, coalesce(h.modes, '{}') as held,
           null::float8 as transaction_seconds, null::float8 as idle_seconds, false as own, null as gid,
           null as timeout_before
      from waiting w
      left join held h using (pid)
      left join pg_catalog.pg_database d on d.oid = w.datid
      left join pg_catalog.pg_roles r on r.oid = w.usesysid
     union all
    select 'session', a.pid, null, null, coalesce(d.datname::text, ''), coalesce(r.rolname::text, ''),
           a.application_name, a.backend_type, coalesce(a.state, ''), null, null, null, null, null,
           extract(epoch from clock_timestamp() - a.xact_start)::float8,
           case when a.state <> 'active' then extract(epoch from clock_timestamp() - a.state_change)::float8 end,
           a.own, null,
           (select pg_catalog.split_part(setting, '=', 2)
              from pg_catalog.pg_db_role_setting s, unnest(s.setconfig) as setting
             where s.setrole = a.usesysid and s.setdatabase = a.datid
               and setting like 'idle_in_transaction_session_timeout=%')
      from activity a
      left join pg_catalog.pg_database d on d.oid = a.datid
      left join pg_catalog.pg_roles r on r.oid = a.usesysid
     where a.pid in (select unnest(blockers) from waiting)
     union all
    select 'prepared', p.leader, null, null, x.database::text, x.owner::text, '', 'prepared transaction', 'prepared',
           null, null, null, null, null, extract(epoch from clock_timestamp() - x.prepared)::float8, null,
           false, x.gid, null
      from prepared p
      join pg_catalog.pg_prepared_xacts x on x.transaction = p.transactionid
"""


@dataclass
class Tree:
    """Who waits for whom: each who waits with its blockers; a prepared transaction is known by its gid."""

    waits: dict[int, Row] = field(default_factory=dict)
    blockers: dict[int, set[int | str]] = field(default_factory=dict)
    holders: dict[int | str, Row] = field(default_factory=dict)

    @property
    def roots(self) -> Iterator[int | str]:
        """Give who blocks and does not wait itself; of a ring that nobody broke yet, who has waited longest."""
        free = [each for each in self.holders if each not in self.waits]
        yield from free
        reached = {pid for root in free for pid in self.beneath(root)}
        rest = sorted(self.waits.keys() - reached, key=lambda pid: -number(self.waits[pid], "seconds"))
        for pid in rest:
            if pid in self.holders and pid not in reached:
                reached |= {pid, *self.beneath(pid)}
                yield pid

    def beneath(self, root: int | str) -> Mapping[int, int]:
        """Give all who wait for one, also by way of others, each with how many steps that is."""
        found: dict[int, int] = {}
        level: set[int | str] = {root}
        while level:
            depth = max(found.values(), default=0) + 1
            new = {pid for pid, blockers in self.blockers.items() if blockers & level} - found.keys() - {root}
            found |= dict.fromkeys(new, depth)
            level = {*new}
        return found


def planted(rows: Sequence[Row]) -> Tree:
    """Put the answer together; parallel workers count as their leader."""
    tree = Tree()
    for row in rows:
        pid = round(number(row, "pid"))
        match row["kind"]:
            case "session":
                tree.holders[pid] = row
            case "prepared":
                tree.holders[str(row["gid"])] = row
                tree.blockers.setdefault(pid, set()).add(str(row["gid"]))
            case _:
                longer = pid not in tree.waits or number(row, "seconds") > number(tree.waits[pid], "seconds")
                tree.waits[pid] = row if longer else tree.waits[pid]
                named = row["blockers"] if isinstance(row["blockers"], list) else []
                tree.blockers.setdefault(pid, set()).update(each for each in named if each not in (0, pid))
    return tree


NAMED = 10
"""How many applications and locks are named."""

KEPT = ("database", "role", "backend_type", "state", "transaction_seconds", "idle_seconds", "timeout_before")


def roots(tree: Tree) -> Iterator[Row]:
    """Give one row for each root: who it is, and all that waits for it."""
    for root in tree.roots:
        row, found = tree.holders[root], tree.beneath(root)
        waits = sorted((tree.waits[pid] for pid in found), key=lambda each: -number(each, "seconds"))
        if not waits or row["own"]:
            continue
        yield {
            **{name: row[name] for name in KEPT},
            "kind": "blocker",
            "application": safe(row["application"]),
            "pid": row["pid"] if isinstance(root, int) else None,
            "gid": safe(row["gid"]) if row["gid"] is not None else None,
            "waited_seconds": max(number(each, "seconds") for each in waits),
            "depth": max(found.values()),
            "blocked_pids": sorted(found),
            "blocked_applications": applications(waits),
            "locks": distinct(waits, wanted),
            "ring": root in tree.waits,
        }


def behind(tree: Tree, pid: object) -> Row:
    """Say how many wait for one session, also by way of others, and which applications they are."""
    found = tree.beneath(pid) if isinstance(pid, int) and pid in tree.holders else {}
    return {"blocked": len(found), "blocked_applications": applications([tree.waits[each] for each in found])}


def applications(waits: Sequence[Row]) -> Sequence[str]:
    """Name the applications of those who wait; of one without a name its role."""
    return sorted(distinct(waits, lambda row: safe(row["application"]) or str(row["role"])))


def distinct(waits: Sequence[Row], word: Callable[[Row], str]) -> list[str]:
    """Give the first few different words."""
    return list(dict.fromkeys(map(word, waits)))[:NAMED]


def wanted(row: Row) -> str:
    """Say what is waited for: `AccessExclusiveLock on public.orders, held: RowExclusiveLock`."""
    held = row["held"] if isinstance(row["held"], list) else []
    modes = f", held: {', '.join(map(str, held))}" if held else ""
    return f"{_lock(row)}{modes}"


def _lock(row: Row) -> str:
    kind, where = str(row["locktype"]), ""
    if row["relation_oid"] is not None:
        where = str(row["relation"] or f"relation {row['relation_oid']} of database {row['database']}")
    if kind == "transactionid":
        return f"a row of {where}" if where else "the end of a transaction"
    if kind == "relation":
        return f"{row['mode']} on {where}"
    if kind == "tuple":
        return f"a row of {where}"
    return f"{row['mode']} on {kind}" + (f" of {where}" if where else "")


async def blocking(session: Session) -> tuple[Tree, Row | None]:
    """Ask who waits for whom; where that cannot be had, give the reason: the rest of the reading stands."""
    try:
        return planted(await session.fetch(SQL)), None
    except (ProbeTimeout, ProbeSkipped) as error:
        return Tree(), {"reason": str(error), "needs": Needs.TIME}
    except ProbeError as error:
        return Tree(), {"reason": str(error), "needs": Needs.REPAIR}

"""Clear passwords in texts that others may read: in pg_stat_statements, and in pg_stat_activity.

The server itself looks, with regular expressions; no text leaves it, only who ran what sort of statement, and its
queryid. Asked every half hour. Cost, measured with 402 entries of 20 MB together: 0.2 s of server CPU, nearly all of
it for reading the texts; 2 ms where they hold what utility statements usually do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    Area,
    Finding,
    Measurement,
    Memory,
    Needs,
    NoVerdict,
    Object,
    Probe,
    ProbeError,
    ProbeSkipped,
    ProbeTimeout,
    Remedy,
    Row,
    Rule,
    Scope,
    Session,
    Severity,
    identifier,
    plural,
)

# Any bytes are good Latin-1, and what is looked for is ASCII. The patterns travel as parameters, so that they are in no
# text themselves. A verifier (md5, SCRAM), a parameter, an empty string, a placeholder of format() and a concatenation
# are no clear password.
# A doubled quote begins one within another text, unless it is empty itself.
MAY = r"passw|://|secret|api_?key"
GAP = r"(\s|--[^\n]*\n|/\*([^*]|\*(?!/))*\*/)"
OF_A_ROLE = (
    r"\m(create|alter)\s+(role|user|group|server|foreign)\M[^;]*\mpassw(or)?d\"?"
    + GAP
    + r"+((e|u&)?'('(?![\s;,)]|$))?|\$[a-z_]*\$(?![\s;]))(?!md5[0-9a-f]{32}['$]|scram-sha-256\$|\$|%|\?'|'|\s*\|\|)"
)
# A setting of one's own, which has a dot; before PostgreSQL 18 its value is kept as it was written.
IN_A_SETTING = (
    r'\mset\s+((session|local)\s+)?"?\w+\.[\w.]*(passw(or)?d|secret|(api|secret)_?key)"?\s*(=|\mto\M)\s*'
    r"(e|u&)?'(?!(on|off|true|false|yes|no|none|\d*)'|'|\$|%)"
)
IN_A_CONNECTION = (
    r"\m(connection" + GAP + r"+|primary_conninfo\s*(=|to)\s*|dblink\w*\s*\(\s*('[^']*'\s*,\s*)?)e?'"
    r"([^']*\mpassw(or)?d\s*=\s*('')?[^\s'$%]|postgres(ql)?://[^:@/'\s]*:[^@'\s$%]+@)"
)
# An address of whatever sort, in a constant or a remark; what stands for a password is none.
IN_AN_ADDRESS = (
    r"\m[a-z][a-z0-9+.-]*://[^\s:/?#@'\"]*:"
    r"(?!(password|passwd|passwort|pass|pwd|pw|secret|x+|\.+)@)[^\s:/?#@'\"$%{<*\[][^\s/?#@'\"]*@[a-z0-9_\[]"
)
ON_ROWS = r"^(\s|\(|--[^\n]*\n|/\*([^*]|\*(?!/))*\*/)*(select|insert|update|delete|merge|with|values|copy|table)\M"

SQL = """
    with matching as materialized (
        select 'pg_stat_statements' as place, s.userid, s.dbid, s.queryid, 0 as pid, s.query
          from pg_stat_statements(true) s
         where s.queryid is not null
           and s.query ~* $1
           and (s.query ~* $3 or s.query ~* $6 or (s.query ~* $2 or s.query ~* $5) and s.query !~* $4)
         union all
        select 'pg_stat_activity', a.usesysid, a.datid, a.query_id, a.pid, a.query
          from (select usesysid, datid, query_id, pid,
                       pg_catalog.convert_from(pg_catalog.textsend(query), 'LATIN1') as query
                  from pg_catalog.pg_stat_get_activity(null)
                 where backend_type = 'client backend'
                   and pid <> pg_catalog.pg_backend_pid()
                offset 0) a
         where a.query ~* $1
           and (a.query ~* $3 or a.query ~* $6 or (a.query ~* $2 or a.query ~* $5) and a.query !~* $4)
         limit 200
    )
    select distinct
           m.place, m.userid::int8 as userid, m.dbid::int8 as dbid, m.queryid, m.pid,
           coalesce(d.datname::text, '') as database, coalesce(r.rolname::text, 'oid ' || m.userid) as role,
           case when m.query ~* 'user\\s+mapping' then 'user mapping'
                when m.query ~* 'subscription' then 'subscription'
                when m.query ~* 'dblink' then 'dblink connection'
                when m.query ~* 'primary_conninfo' then 'replication setting'
                when m.query ~* $5 then 'setting'
                when m.query ~* $6 and m.query !~* $2 then 'address'
                else 'role' end as sort
      from matching m
      left join pg_catalog.pg_database d on d.oid = m.dbid
      left join pg_catalog.pg_roles r on r.oid = m.userid
     union all
    select 'whole', null, null, null, 0, '', '', ''
"""


NO_TEXT = ("22021", "22P05")
"""SQLSTATEs of bytes that are no text in the database's encoding."""


async def observe(session: Session, _memory: Memory, _options: object) -> Sequence[Row]:
    """Let the server look; say where it lies what it needs to be cleared of it."""
    extension = session.facts.extensions.get("pg_stat_statements", "")
    try:
        rows = await session.fetch(SQL, MAY, OF_A_ROLE, IN_A_CONNECTION, ON_ROWS, IN_A_SETTING, IN_AN_ADDRESS)
    except (ProbeSkipped, ProbeTimeout):
        raise
    except ProbeError as error:
        if not any(state in str(error) for state in NO_TEXT):
            raise
        reason = f"the server cannot read the texts, one may be of another encoding: {error}"
        raise ProbeSkipped(reason, Needs.SETTING) from None
    reset = identifier(*filter(None, (extension, "pg_stat_statements_reset")))
    return [{**row, "reset": reset} for row in rows]


@dataclass(frozen=True, kw_only=True)
class SecretInText(Rule):
    r"""A clear password stands in the text of a statement that others may read.

    Why: pg_stat_statements keeps the text of `create role … password '…'`, of user mappings, subscriptions, dblink
    connections and (before PostgreSQL 18) of settings such as `app.jwt_secret` as it was written, and remarks with an
    address that has a password (`scheme://user:password@host`), until it is reset or
    evicted, over restarts too; everybody with pg_read_all_stats reads it, and so does what exports statements.
    pg_stat_activity shows the last text of a session.
    What to do: change the password, then clear the entry with the statement given, as a superuser or whoever may
    execute pg_stat_statements_reset. Set passwords with psql's \password or as a SCRAM verifier, and connections by
    passfile or service.
    When it is wrong: an example's or a placeholder's password. Verifiers (md5, SCRAM-SHA-256), `password null`, an
    empty password and parameters are not told; what is put together by a function at run time cannot be seen. The text
    itself is never read by the monitor: the server looks, and tells the queryid.
    Cost: all texts are read once in half an hour, on the server: 0.2 s for 20 MB of them.
    """

    id: ClassVar[str] = "statements.secret_in_text"
    area: ClassVar[Area] = Area.PERFORMANCE
    severity: Severity = Severity.CRITICAL

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        entries: dict[tuple[str, str], list[Row]] = {}
        sessions: dict[tuple[str, str], list[Row]] = {}
        for row in seen.rows:
            if row["place"] == "pg_stat_statements":
                entries.setdefault((str(row["database"]), named(row)), []).append(row)
            elif row["place"] == "pg_stat_activity":
                sessions.setdefault((str(row["database"]), str(row["role"])), []).append(row)
        yield from (self._kept(seen, *key, rows) for key, rows in entries.items())
        yield from (self._shown(seen, *key, rows) for key, rows in sessions.items())

    def _kept(self, seen: Measurement, database: str, name: str, rows: Sequence[Row]) -> Finding:
        return self.finding(
            seen,
            in_database=database or None,
            subject=name,
            object=Object("statement", name=name),
            summary=f"pg_stat_statements keeps a clear password ({_sorts(rows)}) under query id {rows[0]['queryid']}",
            impact="everybody who may read statistics, and whatever exports them, reads the password",
            remedy=Remedy(sql=tuple(dict.fromkeys(map(_reset, rows))), caution=KEPT),
            count=len(rows),
            place="pg_stat_statements",
            queryid=whole(rows[0]["queryid"]),
            sorts=sorted({str(row["sort"]) for row in rows}),
            roles=sorted({str(row["role"]) for row in rows}),
        )

    def _shown(self, seen: Measurement, database: str, role: str, rows: Sequence[Row]) -> Finding:
        return self.finding(
            seen,
            in_database=database or None,
            subject=f"sessions of {identifier(role)}",
            object=Object("statement", name=named(rows[0])),
            summary=f"pg_stat_activity shows a clear password ({_sorts(rows)}) in the last text of "
            f"{plural(len(rows), 'session')} of role {identifier(role)}",
            impact="everybody who may read others' sessions reads the password",
            remedy=Remedy(caution=SHOWN),
            count=len(rows),
            place="pg_stat_activity",
            pids=[whole(row["pid"]) for row in rows[:10]],
            sorts=sorted({str(row["sort"]) for row in rows}),
            roles=[role],
        )


KEPT = (
    "Change the password first: it has been readable, and stays so in backups and exports of the statistics, and in "
    "the server's log if it logs such statements. The reset forgets this entry's figures; nobody but a superuser may "
    "execute it unless granted (managed services: their administrator role)."
)
SHOWN = (
    "Change the password, then run any other statement in these sessions or end them: the last text stays in sight "
    "until the next one. pg_stat_statements may keep it as well."
)


def named(row: Row) -> str:
    """Name an entry by its queryid, as statements without a known text are."""
    queryid = row["queryid"]
    return f"queryid-{queryid & 0xFFFFFFFFFFFFFFFF:016x}" if isinstance(queryid, int) else "queryid unknown"


def whole(value: object) -> int | None:
    """Give a whole number as it is: queryids are too long for floats."""
    return value if isinstance(value, int) else None


def _reset(row: Row) -> str:
    return f"select {row['reset']}({row['userid']}, {row['dbid']}, {row['queryid']})"


def _sorts(rows: Sequence[Row]) -> str:
    return ", ".join(sorted({str(row["sort"]) for row in rows}))


PROBE = Probe(
    name="statement_secrets",
    scope=Scope.SERVER,
    every=1800,
    needs=("extension:pg_stat_statements", "role:pg_read_all_stats"),
    observe=observe,
    rules=(SecretInText(),),
)

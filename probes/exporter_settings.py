"""For `compat: [postgres_exporter]` only: all settings that are numbers, limits of databases and roles, the version.

As they are for the monitor's role. What its sessions begin with (lock_timeout, idle_session_timeout, jit,
default_transaction_…) is left out: it would be ours, not the server's. Cost: pg_settings, 16 ms every 5 minutes.
"""

from collections.abc import Sequence

from monitor.probe import Memory, Probe, Row, Scope, Session

# -1 mostly means something else than a number, so that it stays -1 under any unit. File modes are told as they are
# written, in octal digits. What our sessions set once they stand hides what the server gave them: reset_val.
SETTINGS = """
    select 'setting' as kind,
           s.name::text as setting,
           s.short_desc as told,
           case when s.unit is null then ''
                when s.unit in ('ms', 's', 'min', 'h', 'd') then '_seconds'
                else '_bytes' end as suffix,
           case when s.vartype = 'bool' then (s.setting = 'on')::int::float8
                when s.setting::float8 = -1 then -1
                else s.setting::float8 * coalesce(case s.unit when 'ms' then 0.001
                                                                when 's' then 1
                                                                when 'min' then 60
                                                                when 'h' then 3600
                                                                when 'd' then 86400
                                                                when 'B' then 1
                                                                else pg_catalog.pg_size_bytes(
                                                                         case when s.unit ~ '^[0-9]' then s.unit
                                                                              else '1' || s.unit end) end, 1)
            end as value,
           a.server
      from (select name, short_desc, unit, vartype,
                   case when source = 'session' then reset_val else setting end as setting
              from pg_catalog.pg_settings
             where source <> 'client'
               and name not in ('transaction_read_only', 'transaction_deferrable')) s
     cross join (select coalesce(pg_catalog.host(pg_catalog.inet_server_addr()), 'localhost')
                        || ':' || pg_catalog.current_setting('port') as server) a
     where s.vartype in ('bool', 'integer', 'real')
     order by s.name
     limit 2000
"""
VERSION = """
    select 'version' as kind,
           1 as one,
           pg_catalog.version() as version,
           v.num / 10000 || '.' || v.num % 10000 || '.0' as short_version,
           coalesce(pg_catalog.host(pg_catalog.inet_server_addr()), 'localhost')
           || ':' || pg_catalog.current_setting('port') as server
      from (select pg_catalog.current_setting('server_version_num')::int as num) v
"""
DATABASES = """
    select 'database' as kind,
           datname::text as database,
           datconnlimit as connection_limit
      from pg_catalog.pg_database
     where not datistemplate
     order by oid
     limit 1000
"""
ROLES = """
    select 'role' as kind,
           rolname::text as role,
           rolconnlimit as connection_limit
      from pg_catalog.pg_roles
     order by oid
     limit 500
"""


async def observe(session: Session, _memory: Memory, _options: object) -> Sequence[Row]:
    """Ask each view."""
    return [row for sql in (DATABASES, SETTINGS, VERSION, ROLES) for row in await session.fetch(sql)]


PROBE = Probe(
    name="exporter_settings",
    scope=Scope.SERVER,
    every=300,
    observe=observe,
    compat="postgres_exporter",
    enabled=False,
)

"""Which columns refer to auth.users: those declared, those with a foreign key, and those named as if they did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.probe import Needs, ProbeSkipped, Row, Session, identifier
from probes.auth_links_options import AuthOptions, Link

USERS = """
    select c.relkind::text as kind,
           (select pg_catalog.format_type(a.atttypid, null)
              from pg_catalog.pg_attribute a
             where a.attrelid = c.oid and a.attname = 'id' and not a.attisdropped) as id_type,
           array(select a.attname::text
                   from pg_catalog.pg_attribute a
                  where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
      from pg_catalog.pg_namespace n
      join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = 'users'
     where n.nspname = $1::text
"""

# $1 auth schema, $2 to $4 what is declared. Tables of an extension and of Supabase's own services are not proposed by
# name, nor is a column that a foreign key already binds to another table. Leaves are read through their root.
COLUMNS = r"""
    select n.nspname::text as schema,
           c.relname::text as table,
           a.attname::text as column,
           keyed.yes as keyed,
           single.yes as single,
           pg_catalog.lower(pg_catalog.replace(c.relname::text, '_', ''))
               ~ '^(app|public)?(user|profile|account|member|person|people|customer|client|player|patient|student'
                 '|employee)(s|profiles?|accounts?|details?|data|info|settings?)?$' as profile_like,
           lowered.name ~ '^(auth|supabase|gotrue)' as telling,
           (select m.attname::text
              from pg_catalog.pg_attribute m
             where m.attrelid = c.oid
               and m.attnum > 0
               and not m.attisdropped
               and m.atttypid in ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype)
               and pg_catalog.lower(pg_catalog.replace(m.attname::text, '_', ''))
                   ~ '^(createdat|createdon|created|creationdate|creationtime|datecreated|insertedat|addedat|joinedat'
                     '|registeredat)$'
             order by m.atttypid = 'timestamptz'::regtype desc, m.attnum
             limit 1) as created
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      join pg_catalog.pg_type t on t.oid = a.atttypid
      left join pg_catalog.pg_namespace home on home.nspname = $1::text
      left join pg_catalog.pg_class users on users.relnamespace = home.oid and users.relname = 'users'
      left join pg_catalog.pg_attribute id on id.attrelid = users.oid and id.attname = 'id'
     cross join lateral (select pg_catalog.lower(pg_catalog.replace(a.attname::text, '_', '')) as name) as lowered
     cross join lateral (select exists (select
                                          from pg_catalog.pg_constraint f
                                         where f.conrelid = c.oid
                                           and f.contype = 'f'
                                           and f.confrelid = users.oid
                                           and f.conkey[pg_catalog.array_position(f.confkey, id.attnum)] = a.attnum
                                       ) as yes) as keyed
     cross join lateral (select exists (select
                                          from pg_catalog.pg_index i
                                         where i.indrelid = c.oid
                                           and i.indisunique
                                           and i.indisvalid
                                           and i.indpred is null
                                           and i.indnkeyatts = 1
                                           and i.indkey[0] = a.attnum) as yes) as single
     cross join lateral (select exists (select
                                          from unnest($2::text[], $3::text[], $4::text[]) as said (s, t, c)
                                         where (said.s, said.t, said.c) = (n.nspname, c.relname, a.attname)) as yes)
           as declared
     where c.relkind in ('r', 'p')
       and coalesce(nullif(t.typbasetype, 0), t.oid)
           in ('uuid'::regtype, 'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype)
       and n.nspname <> $1::text
       and n.nspname !~ '^pg_|^information_schema$'
       and (declared.yes
            or not c.relispartition
               and c.relpersistence <> 't'
               and (keyed.yes
                    or (lowered.name ~ '^(auth|supabase|gotrue)?(user|u)?(id|uid|uuid)$'
                        and (lowered.name <> 'id' and lowered.name <> 'uuid'
                             or pg_catalog.lower(pg_catalog.replace(c.relname::text, '_', ''))
                                ~ '^(app|public)?(user|profile|account|member|person|people|customer)'
                                  '(s|profiles?|accounts?)?$')
                        or lowered.name ~ '^(auth|authuser|supabaseuser|user|owner|author|creator|account|member'
                                          '|profile|customer|client|person|player|sender|recipient|receiver|host|guest|assignee'
                                          '|admin|organizer|participant|inviter|invitee|reviewer|approver|student|teacher)'
                                          '(user)?(id|uid|uuid)?$'
                        or lowered.name ~ '^(created|updated|modified|invited|approved|owned|deleted|uploaded|assigned'
                                          '|requested|reviewed)by(id|userid)?$')
                       and not exists (select
                                         from pg_catalog.pg_constraint f
                                        where f.conrelid = c.oid and f.contype = 'f' and a.attnum = any (f.conkey))
                       and not exists (select
                                         from pg_catalog.pg_depend d
                                        where d.classid = 'pg_catalog.pg_class'::regclass
                                          and d.objid = c.oid
                                          and d.deptype = 'e')
                       and not (n.nspname in ('storage', 'realtime', '_realtime', 'supabase_functions', 'vault',
                                              'pgsodium')
                                and pg_catalog.pg_get_userbyid(c.relowner) like 'supabase%')))
     order by declared.yes desc, keyed.yes desc, n.nspname, c.relname, a.attnum
     limit 1001
"""

# Why a declared link is not among the columns above.
DECLARED = """
    select (select c.relkind::text
              from pg_catalog.pg_class c
              join pg_catalog.pg_namespace n on n.oid = c.relnamespace
             where n.nspname = $1::text and c.relname = $2::text) as kind,
           (select pg_catalog.format_type(a.atttypid, a.atttypmod)
              from pg_catalog.pg_class c
              join pg_catalog.pg_namespace n on n.oid = c.relnamespace
              join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             where n.nspname = $1::text and c.relname = $2::text and a.attname = $3::text) as type
"""


MOST = 1000
"""Columns that are looked at in one database; one more is read, so that a cut does not go unsaid."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column that refers to auth.users, or may."""

    schema: str
    table: str
    column: str
    keyed: bool = False
    single: bool = False
    """A unique index says: at most one row a user."""
    profile_like: bool = False
    telling: bool = False
    """Its name says whose id it holds (`auth_user_id`)."""
    created: str | None = None
    declared: Link | None = None

    @property
    def relation(self) -> str:
        return identifier(self.schema, self.table)

    @property
    def subject(self) -> str:
        return f"{self.relation} ({identifier(self.column)})"

    @property
    def place(self) -> tuple[str, str, str]:
        return self.schema, self.table, self.column

    @property
    def by_custom(self) -> bool:
        """Tell an undeclared table that looks as if every user had a row in it."""
        return self.declared is None and self.keyed and self.single and self.profile_like

    @property
    def of_everybody(self) -> bool:
        """Tell whether users without a row here may be anybody's concern."""
        return self.declared.every_user if self.declared is not None else self.by_custom

    @property
    def needed(self) -> list[str]:
        """The columns of its table that must be readable."""
        return [self.column, *([self.created] if self.created else [])]


async def gotrue(session: Session, options: AuthOptions) -> frozenset[str]:
    """Give the columns of auth.users; raises ProbeSkipped where GoTrue is not here, or is not what we know."""
    users = identifier(options.schema, "users")
    here = any(link.database == session.facts.database for link in options.links)
    rows = await session.fetch(USERS, options.schema)
    if not rows:
        reason = f"this database has no {users}"
        raise ProbeSkipped(f"{reason}, which auth.links needs" if here else reason, Needs.SETTING if here else None)
    if rows[0]["kind"] not in ("r", "p"):
        raise ProbeSkipped(f"{users} is no table; set auth.schema to where GoTrue keeps its users", Needs.SETTING)
    present = frozenset(str(name) for name in as_list(rows[0]["columns"]))
    if rows[0]["id_type"] != "uuid" or not {"created_at", "confirmed_at"} <= present:
        raise ProbeSkipped(f"{users} is not as GoTrue makes it", Needs.SETTING if here else None)
    return present


async def columns(session: Session, options: AuthOptions) -> list[Column]:
    """Give all columns that refer to auth.users or are named so, declared ones first, without the excluded."""
    places = {link.place: link for link in options.links}
    names: list[list[str]] = [[place[part] for place in places] for part in range(3)]
    rows = await session.fetch(COLUMNS, options.schema, *names)
    found = [_column(row, places) for row in rows]
    return [column for column in found if column.declared or not options.excludes(*column.place)]


def too_many(found: Sequence[Column]) -> list[tuple[Column, str]]:
    """Name the first column that is not looked at, where there are more than we look at."""
    why = f"not looked at, nor those after it: more than {MOST} columns may refer to auth.users; set auth.not_links"
    return [(column, why) for column in found[MOST : MOST + 1]]


async def why_missing(session: Session, options: AuthOptions, found: Sequence[Column]) -> list[tuple[Column, str]]:
    """Name for each declared link that is not among the columns what is wrong with it."""
    known = {column.place for column in found}
    return [(_declared(link), await _why(session, link)) for link in options.links if link.place not in known] + [
        (column, why) for column in found if (why := await _why_created(session, column))
    ]


async def _why(session: Session, link: Link) -> str:
    schema, table, column = link.place
    (row,) = await session.fetch(DECLARED, schema, table, column)
    relation = identifier(schema, table)
    if row["kind"] is None:
        return f"auth.links names {relation}, which does not exist in this database"
    if row["kind"] not in ("r", "p"):
        return f"auth.links names {relation}, which is no table"
    if row["type"] is None:
        return f"auth.links names column {identifier(column)}, which {relation} does not have"
    return f"auth.links names {relation} ({identifier(column)}), a {row['type']}, which cannot hold an id of auth.users"


async def _why_created(session: Session, column: Column) -> str:
    if column.declared is None or column.declared.created_at is None:
        return ""
    (row,) = await session.fetch(DECLARED, column.schema, column.table, column.created)
    if row["type"] is None:
        return f"auth.links names created_at {column.created}, which {column.relation} does not have"
    if not str(row["type"]).startswith(("timestamp", "date")):
        return f"auth.links names created_at {column.created}, a {row['type']}, which is no time"
    return ""


def _column(row: Row, places: dict[tuple[str, str, str], Link]) -> Column:
    schema, table, name = str(row["schema"]), str(row["table"]), str(row["column"])
    declared = places.get((schema, table, name))
    created = declared.created_at if declared and declared.created_at else row["created"]
    return Column(
        schema=schema,
        table=table,
        column=name,
        keyed=bool(row["keyed"]),
        single=bool(row["single"]),
        profile_like=bool(row["profile_like"]),
        telling=bool(row["telling"]),
        created=str(created) if created is not None else None,
        declared=declared,
    )


def _declared(link: Link) -> Column:
    schema, table, column = link.place
    return Column(schema=schema, table=table, column=column, declared=link)


def as_list(value: object) -> list[object]:
    """Give an array the server sent; empty for anything else."""
    return list(value) if isinstance(value, list) else []

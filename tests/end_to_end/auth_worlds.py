"""Databases for the exam of auth_links: users of every kind, and link tables of every shape, as SQL text."""

FRESH = "now() - interval '1 hour'"

# 206 users must have a profile: persons, phone, banned, once_banned, ageless. The others need none, or not yet.
PEOPLE = """
create temporary table person on commit drop as
select gen_random_uuid() as id, kind, nr
  from (values ('person', 200), ('phone', 2), ('banned', 2), ('once_banned', 1), ('ageless', 1),
               ('anonymous', 3), ('unconfirmed', 2), ('invited', 2), ('sso', 2), ('deleted', 2), ('new', 2),
               ('just_confirmed', 1)) k (kind, many)
 cross join lateral generate_series(1, many) as nr;

insert into auth.users (id, email, phone, created_at, email_confirmed_at, phone_confirmed_at, banned_until, deleted_at,
                        invited_at, is_anonymous, is_sso_user)
select id,
       case when kind not in ('phone', 'anonymous') then id || '@exam.example' end,
       case kind when 'phone' then '+4930901' || nr end,
       case kind when 'new' then now() when 'ageless' then null else born end,
       case when kind in ('new', 'just_confirmed') then now()
            when kind not in ('phone', 'unconfirmed', 'invited') then born end,
       case kind when 'phone' then born end,
       case kind when 'banned' then now() + interval '1 day' when 'once_banned' then now() - interval '1 hour' end,
       case kind when 'deleted' then now() - interval '1 hour' end,
       case kind when 'invited' then born end,
       kind = 'anonymous',
       kind = 'sso'
  from person, (values (now() - interval '1 day')) as birth (born);

create function pg_temp.nobody() returns uuid language sql volatile
    as $$ select ('decafbad' || substr(md5(random()::text), 9))::uuid $$;
"""


def table(name: str, column: str = "auth_user_id", kind: str = "uuid", *, known: int = 30, gone: int = 0) -> str:
    """Make a link table an hour old: `known` rows of real users, `gone` rows of nobody."""
    return f"""
create table {name} (nr bigint generated always as identity, {column} {kind}, created_at timestamptz default {FRESH});
insert into {name} ({column}) select id from person where kind = 'person' order by nr limit {known};
insert into {name} ({column}) select pg_temp.nobody() from generate_series(1, {gone});
"""


def key(name: str, column: str = "auth_user_id", to: str = "auth.users (id)", rest: str = "not valid") -> str:
    """Add a foreign key."""
    return f"alter table {name} add foreign key ({column}) references {to} {rest};\n"


WEIRD = '"we ird.sch""ema"."Ünï ""t.x"""'

# Nothing is declared here: what stands in foreign keys, and what is discovered.
SHAPES = "".join(
    (
        "create schema app; create schema ", '"we ird.sch""ema"', ";", PEOPLE,
        table("app.profiles", "id", known=200), "alter table app.profiles add primary key (id);",
        key("app.profiles", "id", rest="on delete cascade"),
        ("alter table app.profiles enable row level security; create policy own on app.profiles using "
        "(auth.uid() = id);"),
        table("public.users", "auth_user_id", known=200, gone=3),
        "alter table public.users add unique (auth_user_id);",
        ("insert into public.users (auth_user_id) select id from person where kind in ('phone', 'deleted', "
        "'anonymous');"),
        key("public.users"),
        table("app.open_fk", "user_id", gone=4),
        "insert into app.open_fk (user_id) select user_id from app.open_fk limit 20;",
        "insert into app.open_fk (user_id) select null from generate_series(1, 5);",
        ("insert into app.open_fk (user_id, created_at) values (pg_temp.nobody(), now()), (pg_temp.nobody(), now()),"
        " (pg_temp.nobody(), now() - interval '4 minutes 20 seconds'),"
        " (pg_temp.nobody(), now() - interval '5 minutes 5 seconds');"),
        key("app.open_fk", "user_id"),
        table("app.forced_in"), key("app.forced_in", rest="on delete no action"),
        ("set local session_replication_role = replica; insert into app.forced_in (auth_user_id) values "
        "(pg_temp.nobody());"
        "set local session_replication_role = origin;"),
        table("app.ninety", known=27, gone=3), "insert into app.ninety (auth_user_id) values (null), (null);",
        table("app.eighty", known=24, gone=6),
        table("app.nineteen", known=18, gone=1),
        table("app.twenty", known=18, gone=2),
        table("app.texts", kind="text", known=20),
        ("insert into app.texts (auth_user_id) select upper(id::text) from person where kind = 'person' and nr "
        "between 21 and 40;"
        "insert into app.texts (auth_user_id) select '{' || id || '}' from person where kind = 'person' and nr "
        "between 41 and 50;"
        "insert into app.texts (auth_user_id) select replace(id::text, '-', '') from person where kind = "
        "'person' and nr between 51 and 60;"
        "insert into app.texts (auth_user_id) values (''), (''), (''), ('n/a'), ('x'), "
        "(upper(pg_temp.nobody()::text)), (pg_temp.nobody()::text);"),
        table("app.varchars", "user_id", "varchar(36)"),
        "insert into app.varchars (user_id) values (upper(pg_temp.nobody()::text));",
        table("app.posts", "user_id", known=25),
        ("insert into app.posts (user_id) select user_id from app.posts cross join generate_series(1, 3);"
        "insert into app.posts (user_id) select one.id from (values (pg_temp.nobody())) as one (id), "
        "generate_series(1, 3);"),
        table(WEIRD, '"auth user.id"', gone=2), key(WEIRD, '"auth user.id"'),
        ("create table app.parted (nr bigint, user_id uuid, created_at timestamptz) partition by hash (nr);"
        "create table app.parted_0 partition of app.parted for values with (modulus 2, remainder 0);"
        "create table app.parted_1 partition of app.parted for values with (modulus 2, remainder 1);"
        f"insert into app.parted select nr, id, {FRESH} from person where kind = 'person' and nr <= 30;"
        f"insert into app.parted select nr, pg_temp.nobody(), {FRESH} from generate_series(1, 2) nr;"
        "create table app.parted_fk (nr bigint, user_id uuid references auth.users, created_at timestamptz) "
        "partition by hash (nr);"
        "create table app.parted_fk_0 partition of app.parted_fk for values with (modulus 2, remainder 0);"
        "create table app.parted_fk_1 partition of app.parted_fk for values with (modulus 2, remainder 1);"
        f"insert into app.parted_fk select nr, id, {FRESH} from person where kind = 'person' and nr <= 30;"
        "set local session_replication_role = replica;"
        f"insert into app.parted_fk select 1, pg_temp.nobody(), {FRESH};"
        "set local session_replication_role = origin;"),
        table("app.composite", "user_id", gone=2),
        ("alter table app.composite add sso boolean default false; alter table auth.users add unique (id, "
        "is_sso_user);"),
        key("app.composite", "user_id, sso", "auth.users (id, is_sso_user)"),
        "create domain app.uid as uuid;", table("app.domains", "user_id", "app.uid", gone=1),
        table("app.user_accounts", "id", known=60, gone=2), "alter table app.user_accounts add primary key (id);",
        table("app.doctors", "id", known=120), "alter table app.doctors add primary key (id);",
        key("app.doctors", "id", rest=""),
        ("create table app.patients (id uuid primary key references auth.users);"
        "insert into app.patients select id from person where kind = 'person' and nr > 120;"
        "create table app.empty_fk (user_id uuid references auth.users, created_at timestamptz);"),
        table("app.seats", "session_id", known=0, gone=30), key("app.seats", "session_id", "auth.sessions (id)"),
        table("app.stalls", "user_id", known=0, gone=30), key("app.stalls", "user_id", "auth.sessions (id)"),
        table("app.faces", "identity_id", known=0, gone=30), key("app.faces", "identity_id", "auth.identities (id)"),
        "alter table auth.identities add unique (user_id);",
        table("app.masks", "auth_user_id", gone=1), key("app.masks", "auth_user_id", "auth.identities (user_id)"),
        table("app.via_profiles", "user_id"), key("app.via_profiles", "user_id", "app.profiles (id)", ""),
        table("app.noise", "request_id", known=0, gone=40),
        table("app.dropped", "user_id"), key("app.dropped", "user_id"), "alter table app.dropped drop column user_id;",
        ("do $$ begin for nr in 1 .. 70 loop execute format('create table app.many_%s (user_id uuid references "
        "auth.users)', nr);"
        " execute format('insert into app.many_%s select id from auth.users limit 1', nr); end loop; end $$;"
        "create view app.v_users as select auth_user_id, created_at from app.ninety;"
        "create materialized view app.m_users as select auth_user_id, created_at from app.ninety;"
        "create foreign data wrapper handless; create server nowhere foreign data wrapper handless;"
        "create foreign table app.far (auth_user_id uuid, created_at timestamptz) server nowhere;"
        "analyze;"),
    )
)  # fmt: skip

# The links of these tables are declared.
DECLARED = "".join(
    (
        "create schema decl; create schema ", '"De cl"', ";", PEOPLE,
        table("decl.users", known=10, gone=50),
        table("decl.members", "user_id", gone=2),
        table("decl.team", "user_id", known=200),
        "insert into decl.team (user_id) select user_id from decl.team;",
        table("decl.ageless", "user_id", gone=3), "alter table decl.ageless drop column created_at;",
        ("create table decl.zone (user_id uuid, born timestamp);"
        "insert into decl.zone select id, timestamp '2020-01-01' from person where kind = 'person' and nr <= 30;"
        "insert into decl.zone select pg_temp.nobody(), now() at time zone 'America/New_York' from "
        "generate_series(1, 2);"
        "insert into decl.zone select pg_temp.nobody(), now() at time zone 'America/New_York' - interval '1 "
        "day' from generate_series(1, 2);"
        "create table decl.days (user_id uuid, born date);"
        "insert into decl.days select id, current_date - 9 from person where kind = 'person' and nr <= 30;"
        "insert into decl.days values (pg_temp.nobody(), current_date), (pg_temp.nobody(), current_date + 1),"
        " (pg_temp.nobody(), current_date - 3);"),
        table("decl.nulls", "user_id"),
        "insert into decl.nulls (user_id, created_at) values (pg_temp.nobody(), null);",
        ("create table decl.texts (link varchar, created_at timestamptz default now() - interval '1 hour');"
        "insert into decl.texts (link)"
        " select case nr % 4 when 0 then id::text when 1 then upper(id::text) when 2 then '{' || "
        "upper(id::text) || '}'"
        " else replace(id::text, '-', '') end from person where kind = 'person';"
        "insert into decl.texts (link) values (''), ('none'), (null), ('decafbad');"
        "create table decl.empty (auth_user_id uuid, created_at timestamptz);"),
        table("decl.audit_log", "user_id", gone=9), key("decl.audit_log", "user_id"),
        table('"De cl"."t.x"', '"auth.id"', gone=2),
        ("create table decl.numbers (user_id bigint, created_at timestamptz); insert into decl.numbers values "
        "(1, now());"
        "create view decl.seen as select * from decl.members;"
        "create materialized view decl.kept as select * from decl.members;"),
        table("decl.bare", "user_id", gone=1), "alter table decl.bare drop column user_id;",
        "analyze;",
    )
)  # fmt: skip

LINKS = """
    - {table: decl.users, column: auth_user_id, every_user: true, one_per_user: true, created_at: created_at}
    - {table: decl.members, column: user_id, every_user: false, one_per_user: false, created_at: created_at}
    - {table: decl.team, column: user_id, every_user: true, one_per_user: false}
    - {table: decl.ageless, column: user_id, every_user: false}
    - {table: decl.zone, column: user_id, every_user: false, created_at: born}
    - {table: decl.days, column: user_id, every_user: false, created_at: born}
    - {table: decl.nulls, column: user_id, every_user: false, created_at: created_at}
    - {table: decl.texts, column: link, every_user: true}
    - {table: decl.empty, column: auth_user_id, every_user: true}
    - {table: '"De cl"."t.x"', column: auth.id, every_user: false}
    - {table: decl.nothere, column: user_id}
    - {table: decl.users, column: nope}
    - {table: decl.numbers, column: user_id}
    - {table: decl.seen, column: user_id}
    - {table: decl.kept, column: user_id}
    - {table: decl.bare, column: user_id}
"""

# Profiles of Supabase's usual shape (200 of 206 users, 2 of nobody), and notes without RLS (1 of nobody).
GUARDED = "".join(
    (
        "create schema app;", PEOPLE,
        table("public.profiles", "id", known=200, gone=2), "alter table public.profiles add primary key (id);",
        key("public.profiles", "id", rest="on delete cascade not valid"),
        ("alter table public.profiles enable row level security;"
        "create policy own on public.profiles using (auth.uid() = id);"),
        table("app.notes", "user_id", gone=1), key("app.notes", "user_id"),
        "grant usage on schema app to public; analyze;",
    )
)  # fmt: skip

NO_AUTH = """
create table public.users (auth_user_id uuid, created_at timestamptz default now() - interval '1 hour');
insert into public.users (auth_user_id) select gen_random_uuid() from generate_series(1, 40);
"""
HOME_MADE = """
create schema auth; create table auth.users (id int primary key);
insert into auth.users select generate_series(1, 40);
create table public.users (user_id int references auth.users, auth_user_id uuid, created_at timestamptz);
insert into public.users select g, gen_random_uuid(), now() - interval '1 day' from generate_series(1, 40) g;
"""
HOME_MADE_UUID = """
create schema auth; create table auth.users (id uuid primary key, name text);
insert into auth.users select gen_random_uuid(), 'x' from generate_series(1, 40);
create table public.p (user_id uuid, created_at timestamptz default now() - interval '1 hour');
insert into public.p (user_id) select id from auth.users;
insert into public.p (user_id) select gen_random_uuid() from generate_series(1, 2);
alter table public.p add foreign key (user_id) references auth.users not valid;
"""
VIEW_AUTH = """
create schema auth; create table public.real (id uuid primary key, confirmed_at timestamptz, created_at timestamptz);
create view auth.users as select * from public.real;
create table public.users (auth_user_id uuid, created_at timestamptz default now() - interval '1 hour');
insert into public.users (auth_user_id) select gen_random_uuid() from generate_series(1, 40);
"""
EMPTY = """
create table public.profiles (id uuid primary key references auth.users on delete cascade, created_at timestamptz);
"""
HOLLOW = """
create table public.users (auth_user_id uuid, created_at timestamptz default now() - interval '1 hour');
insert into public.users (auth_user_id) select gen_random_uuid() from generate_series(1, 3);
"""
BIG = """
insert into auth.users (id, email, created_at, email_confirmed_at)
select gen_random_uuid(), g || '@exam.example', born, born
  from generate_series(1, 20000) g, (values (now() - interval '1 day')) as birth (born);
create table public.users (auth_user_id uuid, created_at timestamptz default now() - interval '1 hour');
insert into public.users (auth_user_id) select id from auth.users order by email offset 12;
insert into public.users (auth_user_id) select gen_random_uuid() from generate_series(1, 7);
"""

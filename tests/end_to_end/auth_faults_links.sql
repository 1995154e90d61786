-- Link tables in five schemas, after auth_faults_users.sql in the same transaction. Healthy where auth_faults.py says nothing.

create schema app; create schema crm; create schema shp; create schema "Odd Schema";
grant usage on schema app, crm, shp, "Odd Schema" to public;
create temporary view member as
select * from person
 where kind in ('person', 'phone', 'invited_accepted', 'once_anonymous', 'banned', 'banned_forever', 'once_banned',
                'twin', 'bare', 'admin_made', 'mismatch', 'casing', 'changing', 'social', 'halfnull', 'super', 'service',
                'owner', 'role_anon', 'role_blank', 'role_null');

-- The profile of everybody: right in structure but for its e-mail column
create table public.profiles (id uuid primary key references auth.users on delete cascade, email text,
                              created_at timestamptz not null default now() - interval '1 hour');
insert into public.profiles (id, email)
select id, case when kind = 'person' and nr in (11, 12, 13) then 'old' || nr || '@exam.example'
                when kind = 'person' and nr in (14, 15, 16) then upper(email)
                when kind = 'person' and nr in (17, 18) then null
                when kind = 'changing' then 'moved' || nr || '@exam.example'
                when kind = 'phone' then 'phone' || nr || '@exam.example'
                when kind = 'deleted' then 'gone' || nr || '@exam.example'
                else email end
  from (select * from member union all select * from person where kind = 'deleted') as p;
alter table public.profiles enable row level security;
create policy own on public.profiles using (auth.uid() = id);

-- One row for each, they thought: no key, no index, guests
create table app.accounts (nr bigint generated always as identity primary key, auth_user_id uuid,
                           created_at timestamptz not null default now() - interval '1 hour');
insert into app.accounts (auth_user_id)
select id from person where kind = 'person' and nr <= 40
union all select id from person where kind = 'person' and nr in (1, 2)
union all select id from person where kind in ('deleted', 'banned') and nr <= (case kind when 'deleted' then 2 else 1 end)
union all select id from person where kind = 'once_banned'
union all select pg_temp.nobody() from generate_series(1, 5)
union all select null from generate_series(1, 6);
insert into app.accounts (auth_user_id, created_at) select pg_temp.nobody(), now() from generate_series(1, 2);

-- Many for one, guests, a right key
create table app.orders (nr bigint generated always as identity primary key,
                         user_id uuid references auth.users on delete set null,
                         created_at timestamptz not null default now() - interval '1 hour');
create index on app.orders (user_id);
insert into app.orders (user_id) select id from person, generate_series(1, 3) where kind = 'person' and nr <= 60;
insert into app.orders (user_id) select null from generate_series(1, 50);

-- Text, many for one
create table app.tickets (nr bigint generated always as identity primary key, owner text not null,
                          created_at timestamptz not null default now() - interval '1 hour');
create index on app.tickets (owner);
insert into app.tickets (owner)
select case nr % 5 when 0 then id::text when 1 then upper(id::text) when 2 then '{' || id || '}'
                   when 3 then replace(id::text, '-', '') else regexp_replace(replace(id::text, '-', ''), '(....)', '\1-') end
  from person where kind = 'person' and nr <= 50
union all select id::text from person where kind = 'person' and nr <= 5
union all select unnest(array['', '', '', '', ''])
union all select unnest(array['n/a', 'x', 'decafbad', 'decafbad-0000-0000-0000-00000000000g'])
union all select unnest(array[pg_temp.nobody()::text, upper(pg_temp.nobody()::text), '{' || pg_temp.nobody() || '}']);

-- Partitioned, many for one, no key
create table app.events (nr bigint, user_id uuid not null, created_at timestamptz not null) partition by range (nr);
create table app.events_1 partition of app.events for values from (0) to (100);
create table app.events_2 partition of app.events for values from (100) to (1000);
create index on app.events (user_id, created_at);
insert into app.events select nr, id, pg_temp.ago('1 hour') from person where kind = 'person' and nr <= 150;
insert into app.events select 98 + nr, pg_temp.nobody(), pg_temp.ago('1 hour') from generate_series(1, 6) as nr;
insert into app.events select 500 + nr, pg_temp.nobody(), now() from generate_series(1, 2) as nr;

-- Undeclared, no key, 40 of 42 known
create table app.reviews (nr bigint generated always as identity primary key, auth_user_id uuid not null,
                          created_at timestamptz not null default now() - interval '1 hour');
create index on app.reviews (auth_user_id);
insert into app.reviews (auth_user_id) select id from person where kind = 'person' and nr <= 40;
insert into app.reviews (auth_user_id) select pg_temp.nobody() from generate_series(1, 2);

-- varchar, one for each, in any spelling
create table crm.leads (user_ref varchar(64) not null unique,
                        created_at timestamptz not null default now() - interval '1 hour');
insert into crm.leads (user_ref)
select case when nr % 2 = 0 then upper(id::text) else id::text end from person where kind = 'person' and nr <= 30
union all select '{' || id || '}' from person where kind = 'person' and nr in (1, 2)
union all select upper(id::text) from person where kind = 'deleted' and nr = 1
union all select '{' || id || '}' from person where kind = 'banned' and nr = 1
union all select unnest(array['', 'guest', 'decafbad-0000'])
union all select unnest(array[pg_temp.nobody()::text, upper(pg_temp.nobody()::text)]);

-- Partitioned profile with a soft delete of its own
create table crm.members (user_id uuid primary key references auth.users on delete cascade, deleted_at timestamptz,
                          created_at timestamptz not null default now() - interval '1 hour') partition by hash (user_id);
create table crm.members_0 partition of crm.members for values with (modulus 2, remainder 0);
create table crm.members_1 partition of crm.members for values with (modulus 2, remainder 1);
insert into crm.members (user_id, deleted_at)
select id, case when kind = 'deleted' and nr = 3 then pg_temp.ago('59 days') end
  from person
 where kind = 'person' and nr <= 50 or kind = 'deleted' or kind = 'banned' and nr = 2;

-- Undeclared, behind a key never validated
create table "Odd Schema"."Acct ""x""" (nr bigint generated always as identity primary key, "User Id" uuid not null unique,
                                        created_at timestamptz not null default now() - interval '1 hour');
insert into "Odd Schema"."Acct ""x""" ("User Id")
select id from person where kind = 'person' and nr <= 20 union all select pg_temp.nobody() from generate_series(1, 3);
alter table "Odd Schema"."Acct ""x""" add foreign key ("User Id") references auth.users on delete cascade not valid;

-- Excluded by not_links
create table public.audit_entries (user_id uuid, created_at timestamptz not null default now() - interval '1 hour');
insert into public.audit_entries (user_id) select pg_temp.nobody() from generate_series(1, 30);
alter table public.audit_entries add foreign key (user_id) references auth.users not valid;

-- One fault of structure each; three rows of known persons
create table shp.no_fk (user_id uuid not null unique);
create table shp.not_valid (user_id uuid not null unique);
alter table shp.not_valid add foreign key (user_id) references auth.users on delete cascade not valid;
create table shp.no_action (user_id uuid not null unique references auth.users);
create table shp.restricted (user_id uuid not null unique references auth.users on delete restrict);
create table shp.invoices (user_id uuid not null references auth.users on delete cascade);
create index on shp.invoices (user_id);
create table shp.audit_trail (user_id uuid not null references auth.users on delete cascade);
create index on shp.audit_trail (user_id);
create table shp.payments (user_id uuid references auth.users on delete set null);
create index on shp.payments (user_id);
create table shp.no_unique (user_id uuid not null references auth.users on delete cascade);
create index on shp.no_unique (user_id);
create table shp.half_unique (user_id uuid not null references auth.users on delete cascade, kind int);
create index on shp.half_unique (user_id); create unique index on shp.half_unique (user_id, kind);
create table shp.no_index (user_id uuid not null references auth.users on delete cascade);
create table shp.second_key (user_id uuid not null references auth.users on delete cascade, kind int);
create index on shp.second_key (kind, user_id);
create table shp.partial (user_id uuid not null references auth.users on delete cascade, kind int);
create index on shp.partial (user_id) where kind = 1;
create table shp.invalid (user_id uuid not null references auth.users on delete cascade);
create index shp_invalid on shp.invalid (user_id);
update pg_index set indisvalid = false where indexrelid = 'shp.shp_invalid'::regclass;
create table shp.covered (user_id uuid not null references auth.users on delete cascade, kind int);
create index on shp.covered (user_id, kind);
create table shp.nullable (user_id uuid unique references auth.users on delete cascade);
create table shp.by_phone (phone text not null unique references auth.users (phone) on delete cascade on update cascade);
do $$ declare name text; begin
    for name in select relname from pg_class where relnamespace = 'shp'::regnamespace and relkind = 'r'
                                               and relname <> 'by_phone'
    loop execute format('insert into shp.%I (user_id) select id from person where kind = %L and nr <= 3', name, 'person');
    end loop; end $$;
insert into shp.by_phone select phone from auth.users where phone is not null;

-- A sign-up trigger as it should be; made last, so that the rows above are as they are.
create function public.handle_new_user() returns trigger language plpgsql security definer set search_path = '' as $$
begin
    insert into public.profiles (id) values (new.id) on conflict do nothing;
    return new;
exception when others then
    raise warning 'no profile yet: %', sqlstate;
    return new;
end $$;
create trigger on_auth_user_created after insert on auth.users for each row execute function public.handle_new_user();

analyze;

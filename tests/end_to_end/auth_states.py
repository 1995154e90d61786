"""Databases for the second exam: healthy, with a sign-up trigger of some kind, or not as one expects."""

from collections.abc import Mapping

from monitor.demo.gotrue import gotrue

TRIGGER = """
create function public.handle_new_user() returns trigger language plpgsql {how} as $$
begin
    insert into public.profiles (id) values (new.id) on conflict do nothing;
    return new;
{handler}end $$;
create trigger on_auth_user_created after insert on auth.users for each row execute function public.handle_new_user();
"""
HANDLER = "exception when others then\n    raise warning 'no profile yet: %', sqlstate;\n    return new;\n"
DEFINER = "security definer set search_path = ''"
GOOD = TRIGGER.format(how=DEFINER, handler=HANDLER)

# Persons by e-mail, with identity, profile, session, and tokens of which one lives.
PEOPLE = """
create temporary table person on commit drop as
select gen_random_uuid() as id, nr, now() - make_interval(days => 1 + nr % 60, hours => 1) as born
  from generate_series(1, {people}) as nr;
insert into auth.users (id, aud, role, email, email_confirmed_at, confirmation_token, recovery_token,
                        email_change_token_new, email_change, last_sign_in_at, created_at, updated_at)
select id, 'authenticated', 'authenticated', 'person' || nr || '@exam.example', born, '', '', '', '',
       now() - interval '1 hour', born, born from person;
insert into auth.identities (provider_id, user_id, identity_data, provider, created_at, updated_at)
select id, id, jsonb_build_object('sub', id, 'email', 'person' || nr || '@exam.example'), 'email', born, born
  from person;
create table public.profiles (id uuid primary key references auth.users on delete cascade, nickname text,
                              created_at timestamptz not null default now() - interval '1 hour');
insert into public.profiles (id) select id from person;
alter table public.profiles enable row level security;
create policy own on public.profiles using (auth.uid() = id);
insert into auth.sessions (id, user_id, created_at, updated_at, aal, refreshed_at)
select gen_random_uuid(), id, now() - interval '2 days', now() - interval '1 hour', 'aal1',
       (now() - interval '1 hour') at time zone 'UTC' from person;
insert into auth.refresh_tokens (token, user_id, revoked, created_at, updated_at, session_id)
select md5(random()::text), user_id::text, dead, moment, moment, s.id
  from auth.sessions s,
       (values (false, now() - interval '1 hour'), (true, now() - interval '2 hours')) t (dead, moment);
"""

# Everything that is no fault, and no profile where none is due; kinds: see auth_faults_users.sql.
MIX = """
create temporary table other on commit drop as
select gen_random_uuid() as id, kind, nr, now() - make_interval(days => days) as born
  from (values ('phone', 5, 20), ('anonymous', 5, 20), ('unconfirmed', 2, 2), ('invited', 2, 3), ('sso', 3, 20),
               ('deleted', 2, 90), ('once_banned', 2, 20), ('banned', 1, 20), ('changing', 2, 20), ('shouting', 2, 20),
               ('new', 2, 0)) k (kind, many, days)
 cross join lateral generate_series(1, many) as nr;
insert into auth.users (id, aud, role, email, email_confirmed_at, phone, phone_confirmed_at, invited_at, is_anonymous,
                        is_sso_user, deleted_at, banned_until, confirmation_token, recovery_token,
                        email_change_token_new, email_change, email_change_sent_at, last_sign_in_at, created_at)
select id, 'authenticated', 'authenticated',
       case when kind in ('phone', 'anonymous') then null when kind = 'sso' then 'PERSON' || nr || '@exam.example'
            when kind = 'deleted' then md5(id::text) when kind = 'shouting' then 'SHOUTING' || nr || '@exam.example'
            else kind || nr || '@exam.example' end,
       case when kind in ('sso', 'deleted', 'once_banned', 'banned', 'changing', 'shouting', 'new') then born end,
       case kind when 'phone' then '+4930901' || nr end, case kind when 'phone' then born end,
       case kind when 'invited' then born end, kind = 'anonymous', kind = 'sso',
       case kind when 'deleted' then now() - interval '60 days' end,
       case kind when 'once_banned' then now() - interval '1 day' when 'banned' then now() + interval '1 day' end,
       '', '', '', case kind when 'changing' then 'moved' || nr || '@exam.example' else '' end,
       case kind when 'changing' then now() - interval '1 hour' end,
       case when kind not in ('unconfirmed', 'invited', 'new') then greatest(born, now() - interval '1 day') end, born
  from other;
insert into auth.identities (provider_id, user_id, identity_data, provider, created_at, updated_at)
select id, id, jsonb_build_object('sub', id, 'email', case when kind = 'deleted' then 'gone@exam.example'
                                                           else lower(u.email) end),
       case kind when 'phone' then 'phone' when 'sso' then 'sso:' || gen_random_uuid() else 'email' end, born, born
  from other join auth.users u using (id) where kind <> 'anonymous';
insert into public.profiles (id)
select id from other where kind in ('phone', 'sso', 'once_banned', 'banned', 'changing', 'shouting');
insert into auth.mfa_factors (id, user_id, friendly_name, factor_type, status, created_at, updated_at)
select gen_random_uuid(), id, 'key', 'totp'::auth.factor_type, 'verified'::auth.factor_status, born, born
  from person where nr <= 20
union all
select gen_random_uuid(), id, 'new', 'totp', 'unverified', now() - interval '1 hour', now() from person where nr = 30;
update auth.sessions s set aal = 'aal2', factor_id = f.id
  from auth.mfa_factors f where f.user_id = s.user_id and f.status = 'verified';
insert into auth.one_time_tokens (id, user_id, token_type, token_hash, relates_to, created_at)
select gen_random_uuid(), id, 'confirmation_token', md5(id::text), 'x', (now() - interval '2 hours') at time zone 'UTC'
  from other where kind = 'unconfirmed';
insert into auth.flow_state (id, user_id, provider_type, authentication_method, created_at)
select gen_random_uuid(), case when nr % 2 = 0 then id end, 'email', 'otp', now() - interval '1 hour'
  from person where nr <= 10;
insert into auth.refresh_tokens (token, user_id, revoked, created_at, updated_at, session_id)
select md5(random()::text), user_id::text, false, now() + interval '3 minutes', now() + interval '3 minutes', id
  from auth.sessions limit 2;
create schema app;
grant usage on schema app to public;
create table app.orders (nr bigint generated always as identity primary key,
                         user_id uuid references auth.users on delete set null, created_at timestamptz default now());
create index on app.orders (user_id);
insert into app.orders (user_id) select id from person, generate_series(1, 4);
insert into app.orders (user_id) select null from generate_series(1, 40);
create table app.memberships (user_id uuid not null references auth.users on delete cascade, team int,
                              created_at timestamptz default now(), primary key (user_id, team));
insert into app.memberships select id, g from person, generate_series(1, 3) g;
create table app.visits (nr bigint, user_id uuid not null references auth.users on delete cascade,
                         created_at timestamptz) partition by hash (nr);
create table app.visits_0 partition of app.visits for values with (modulus 2, remainder 0);
create table app.visits_1 partition of app.visits for values with (modulus 2, remainder 1);
create index on app.visits (user_id);
insert into app.visits select nr, id, now() - interval '1 hour' from person;
"""
FEW = gotrue() + PEOPLE.format(people=30)
HEALTHY = gotrue() + PEOPLE.format(people=300) + MIX + GOOD + "analyze;"

# Whether the rule about sign-up triggers has something to say.
TRIGGERS: Mapping[str, tuple[str, bool]] = {
    "good": (FEW + GOOD, False),
    "missing": (FEW, True),
    "disabled": (FEW + GOOD + "alter table auth.users disable trigger on_auth_user_created;", True),
    "invoker": (FEW + TRIGGER.format(how="set search_path = ''", handler=HANDLER), True),
    "no_path": (FEW + TRIGGER.format(how="security definer", handler=HANDLER), True),
    "raising": (FEW + TRIGGER.format(how=DEFINER, handler=""), True),
}
EVERY_USER = "{table: public.profiles, column: id, every_user: true, created_at: created_at}"

# Three rows of nobody in a table that is whole, so that one sees whether the rest is still looked at.
NOTES = """
create table public.notes (user_id uuid not null, created_at timestamptz default now() - interval '1 hour');
insert into public.notes (user_id) select ('decafbad' || substr(md5(g::text), 9))::uuid from generate_series(1, 3) g;
create index on public.notes (user_id);
"""
SIGNS = """
insert into public.notes (user_id) select id from person;
insert into auth.refresh_tokens (token, user_id, revoked, created_at, updated_at)
select md5(random()::text), ('decafbad' || substr(md5(g::text), 9)), false, now() - interval '1 hour', now()
  from generate_series(1, 2) g;
update auth.users set recovery_token = null where id in (select id from person where nr <= 4);
"""
COUNTED = "{table: public.notes, column: user_id, created_at: created_at}"
LACKING = (
    "deleted_at, drop column banned_until, drop column is_anonymous, drop column invited_at, drop column is_super_admin"
)
ODD: Mapping[str, str] = {
    "no_schema": NOTES,
    "no_users": "create schema auth; create table auth.sessions (id uuid primary key, user_id uuid);" + NOTES,
    "two_schemas": FEW + "alter schema auth rename to auth_old;\n"
    "alter table public.profiles rename to former;" + gotrue() + NOTES,
    "empty_users": FEW + NOTES + SIGNS + "delete from auth.users;",
    "lacking": FEW + NOTES + SIGNS + f"alter table auth.users drop column {LACKING};",
    "no_sessions": FEW + NOTES + SIGNS + "drop table auth.sessions, auth.mfa_factors, auth.flow_state cascade;",
    "scrawled": FEW + NOTES + SIGNS + "update auth.refresh_tokens set user_id = 'not a uuid' where id in (1, 2);",
    "changed": FEW + NOTES + SIGNS
    + "create table public.wide (auth_user_id bigint); create table public.was (now_id uuid);"
    "create table public.bytes (user_id bytea); create view public.seen as select * from public.notes;",
}  # fmt: skip
ASTRAY: Mapping[str, str] = {
    "wide": "auth_user_id",
    "was": "user_id",
    "bytes": "user_id",
    "seen": "user_id",
    "gone": "id",
}

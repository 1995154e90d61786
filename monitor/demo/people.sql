-- People of the demo: users of schema auth, and public.users, their profiles. Rows are back-dated.
-- Planted: 7 profiles whose auth user is gone, 12 confirmed users without profile, no foreign key.
-- Near misses, which must not be found: guests, anonymous, unconfirmed and soft-deleted users.

create role videochat_owner nologin;
grant create, usage on schema public to videochat_owner;

create table public.users (
    id            bigint generated always as identity primary key,
    auth_user_id  uuid unique,
    email         text,
    display_name  text not null,
    created_at    timestamptz not null default now(),
    last_seen_at  timestamptz not null default now()
);

create temporary table plan on commit drop as
select gen_random_uuid() as id,
       kind,
       nr,
       case when kind = 'unconfirmed' then now() - nr * interval '1 hour'
            else now() - interval '7 days' - (nr % 200) * interval '1 day' - nr * interval '13 seconds' end as born
  from (values ('person', 5000), ('newcomer', 12), ('anonymous', 5), ('unconfirmed', 6), ('deleted', 3)) as kinds (kind, many)
 cross join lateral generate_series(1, many) as nr;

insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at,
                        confirmation_token, recovery_token, email_change_token_new, email_change,
                        raw_app_meta_data, raw_user_meta_data, created_at, updated_at, last_sign_in_at,
                        deleted_at, is_anonymous)
select '00000000-0000-0000-0000-000000000000', id, 'authenticated', 'authenticated',
       case when kind = 'deleted' then md5(nr::text)
            when kind <> 'anonymous' then format('%s%s@videochat.example', kind, nr) end,
       case when kind not in ('anonymous', 'deleted') then '' end,
       case when kind <> 'anonymous' and kind <> 'unconfirmed' then born + interval '2 minutes' end,
       '', '', '', '',
       case when kind = 'anonymous' then '{}' else '{"provider": "email", "providers": ["email"]}' end::jsonb, '{}',
       born, born, case when kind <> 'unconfirmed' then born + interval '1 day' end,
       case when kind = 'deleted' then born + interval '3 days' end,
       kind = 'anonymous'
  from plan;

insert into auth.identities (provider_id, user_id, identity_data, provider, created_at, updated_at, last_sign_in_at)
select u.id::text, u.id, jsonb_build_object('sub', u.id, 'email', u.email, 'email_verified', u.confirmed_at is not null),
       'email', u.created_at, u.created_at, u.last_sign_in_at
  from auth.users u
 where not u.is_anonymous and u.deleted_at is null;

insert into public.users (auth_user_id, email, display_name, created_at, last_seen_at)
select id, format('%s%s@videochat.example', kind, nr), format('Person %s', nr), born + interval '2 minutes', born + interval '5 days'
  from plan
 where kind = 'person'
 order by nr;

-- Their auth users were deleted by hand, without the profile.
insert into public.users (auth_user_id, email, display_name, created_at, last_seen_at)
select gen_random_uuid(), format('gone%s@videochat.example', nr), format('Gone %s', nr),
       now() - nr * interval '20 days', now() - nr * interval '9 days'
  from generate_series(1, 7) as nr;

insert into public.users (display_name, created_at, last_seen_at)
select format('Guest %s', nr), now() - nr * interval '2 days', now() - nr * interval '2 days' + interval '1 hour'
  from generate_series(1, 40) as nr;

alter table public.users owner to videochat_owner;

-- A service with tenants: row level security, jsonb, arrays, partitions, and accounts in a schema like GoTrue's.
create schema auth;
create schema saas;
create table auth.schema_migrations (version text primary key);

create table auth.users (
    id                 uuid primary key,
    email              text not null unique,
    raw_user_meta_data jsonb not null,
    last_sign_in_at    timestamptz,
    created_at         timestamptz not null
) with (fillfactor = 70);
insert into auth.users
select md5('user' || i)::uuid, 'user' || i || '@example.org', '{"theme": "dark"}', now(), now() - i * interval '1 min'
  from generate_series(1, pg_temp.rows(20000)) i;
create table auth.sessions (
    id         uuid primary key,
    user_id    uuid not null references auth.users on delete cascade,
    created_at timestamptz not null,
    not_after  timestamptz
);
insert into auth.sessions
select gen_random_uuid(), md5('user' || 1 + i % pg_temp.rows(20000))::uuid, now() - i * interval '1 min', null
  from generate_series(1, pg_temp.rows(30000)) i;
create index sessions_user_id_idx on auth.sessions (user_id);

create table saas.tenants (id int primary key, slug text not null unique, plan text not null);
insert into saas.tenants select i, 'tenant-' || i, 'pro' from generate_series(1, 200) i;

create table saas.feature_flags (tenant_id int not null, key text not null, enabled bool not null);
insert into saas.feature_flags select i, 'flag', i % 2 = 0 from generate_series(1, 100) i;

create table saas.members (
    tenant_id int not null references saas.tenants,
    user_id   uuid not null references auth.users,
    role      text not null,
    primary key (tenant_id, user_id)
);
insert into saas.members
select distinct on (1, 2) 1 + (random() * 199)::int, md5('user' || 1 + i % pg_temp.rows(20000))::uuid, 'editor'
  from generate_series(1, pg_temp.rows(60000)) i;

create table saas.projects (
    id        bigint generated always as identity primary key,
    tenant_id int not null references saas.tenants,
    name      text not null,
    archived  bool not null,
    settings  jsonb not null
);
insert into saas.projects (tenant_id, name, archived, settings)
select 1 + i % 200, 'Project ' || md5(i::text), i % 10 = 0, jsonb_build_object('theme', i % 9, 'note', repeat('s', 60))
  from generate_series(1, pg_temp.rows(30000)) i;
create index projects_settings on saas.projects using gin (settings);

create table saas.tasks (
    id          bigint generated always as identity primary key,
    tenant_id   int not null,
    project_id  bigint not null references saas.projects,
    created_by  uuid not null,
    assignee_id uuid,
    state       text not null,
    title       text not null,
    position    int not null,
    due_on      date,
    labels      text[] not null,
    custom      jsonb not null
);
insert into saas.tasks (tenant_id, project_id, created_by, assignee_id, state, title, position, due_on, labels, custom)
select 1 + p % 200, p, md5('user' || pg_temp.pick(20000))::uuid,
       case when random() < 0.5 then md5('user' || pg_temp.pick(20000))::uuid end,
       case when random() < 0.6 then 'done' else 'open' end, 'Task ' || md5(i::text), (random() * 100000)::int,
       case when random() < 0.04 then current_date + (random() * 300)::int end,
       array['label ' || (random() * 1500)::int, 'label ' || (random() * 1500)::int],
       jsonb_build_object('external_id', 'ext-' || i, 'points', i % 13)
  from (select i, 1 + (random() * 299)::int as p from generate_series(1, pg_temp.rows(150000)) i) each;

create role saas_app nologin;
grant usage on schema saas, auth to saas_app;
grant select, insert, update, delete on all tables in schema saas to saas_app;
alter table saas.tasks enable row level security;
create function saas.me() returns uuid language sql stable as $$ select current_setting('saas.me')::uuid $$;
create policy members_only on saas.tasks
    using (tenant_id in (select m.tenant_id from saas.members m where m.user_id = (select saas.me())));

-- Deleting a task looks here for each of its rows, though no statement of the application does.
create table saas.attachments (
    id      bigint generated always as identity primary key,
    task_id bigint not null references saas.tasks on delete cascade,
    path    text not null
);
insert into saas.attachments (task_id, path)
select pg_temp.pick(150000), '/files/' || md5(i::text)
  from generate_series(1, pg_temp.rows(80000)) i;

create table saas.comments (
    id         bigint generated always as identity primary key,
    task_id    bigint not null references saas.tasks on delete cascade,
    author_id  uuid not null,
    created_at timestamptz not null,
    body       text not null
);
insert into saas.comments (task_id, author_id, created_at, body)
select pg_temp.pick(150000), md5('user' || pg_temp.pick(20000))::uuid,
       now() - random() * interval '300 days', repeat('c', 80)
  from generate_series(1, pg_temp.rows(150000)) i;
create index comments_task on saas.comments (task_id);
-- Of these two one is enough. The planner uses the smaller one, so both a prefix and an unused one are there to be seen.
create index comments_author on saas.comments (author_id);
create index comments_author_created on saas.comments (author_id, created_at);

create table saas.activity (
    id         bigint generated always as identity,
    tenant_id  int not null,
    actor_id   uuid not null,
    request_id uuid not null,
    action     text not null,
    created_at timestamptz not null,
    primary key (id, created_at)
) partition by range (created_at);
do $$ begin
    for month in 0..5 loop
        execute format('create table saas.activity_%s partition of saas.activity for values from (%L) to (%L)', month,
                       timestamptz '2026-01-01 00:00+00' + month * interval '1 month',
                       timestamptz '2026-01-01 00:00+00' + (month + 1) * interval '1 month');
    end loop;
end $$;
insert into saas.activity (tenant_id, actor_id, request_id, action, created_at)
select 1 + (random() * 199)::int, md5('user' || pg_temp.pick(10000))::uuid, md5(i::text)::uuid,
       'action ' || i % 12, timestamptz '2026-01-01 00:00+00' + i * interval '180 days' / pg_temp.rows(200000)
  from generate_series(1, pg_temp.rows(200000) - 1) i;
-- Asked for the newest month only: its parts on the older partitions are never scanned, and cannot go by themselves.
create index activity_request on saas.activity (request_id);

create table saas.invoices (
    id        bigint generated always as identity primary key,
    tenant_id int not null,
    number    text not null,
    issued_on date not null
);
insert into saas.invoices (tenant_id, number, issued_on)
select 1 + i % 200, 'INV-' || md5(i::text), current_date - i % 700 from generate_series(1, pg_temp.rows(40000)) i;
create table saas.invoice_lines (
    id         bigint generated always as identity primary key,
    invoice_id bigint not null references saas.invoices,
    text       text not null,
    amount     numeric(10, 2) not null
);
insert into saas.invoice_lines (invoice_id, text, amount)
select pg_temp.pick(40000), 'line ' || i, random() * 100
  from generate_series(1, pg_temp.rows(120000)) i;

create table saas.api_tokens (id bigint generated always as identity primary key, digest text not null, tenant_id int not null);
insert into saas.api_tokens (digest, tenant_id) select md5(i::text), 1 + i % 200 from generate_series(1, pg_temp.rows(20000)) i;
create index api_tokens_digest on saas.api_tokens using hash (digest);

-- Two updates a job; what waits has a small index of its own.
create table saas.jobs (
    id         bigint generated always as identity primary key,
    state      text not null default 'pending',
    payload    jsonb not null default '{}',
    created_at timestamptz not null default now()
) with (fillfactor = 50);
insert into saas.jobs (state, payload)
select case when i % 400 = 0 then 'failed' else 'done' end, '{"kind": "mail"}' from generate_series(1, pg_temp.rows(50000)) i;
insert into saas.jobs select from generate_series(1, 100);
create index jobs_pending on saas.jobs (id) where state = 'pending';

create table saas.presence (
    user_id   uuid primary key,
    last_seen timestamptz not null,
    device    text not null
) with (fillfactor = 50);
insert into saas.presence
select md5('user' || i)::uuid, now() - random() * interval '30 days', 'phone' from generate_series(1, pg_temp.rows(20000)) i;

create table saas.notes (id bigint generated always as identity primary key, about bigint not null, body text not null);
insert into saas.notes (about, body)
select (random() * 5000)::int, repeat('text ', 20) from generate_series(1, pg_temp.rows(30000));

-- A ledger and the tickets about it: append-only tables, balances that change all day.
create schema ledger;

create table ledger.accounts (
    id      bigint generated always as identity primary key,
    iban    text not null unique,
    owner   text not null,
    balance numeric(14, 2) not null
) with (fillfactor = 50);
insert into ledger.accounts (iban, owner, balance)
select 'DE' || lpad(i::text, 20, '0'), 'owner ' || i, random() * 10000 - 50 from generate_series(1, pg_temp.rows(40000)) i;
-- The constraint has the same one.
create index accounts_iban on ledger.accounts (iban);

create table ledger.entries (
    id              bigint generated always as identity primary key,
    account_id      bigint not null references ledger.accounts,
    counter_account bigint not null,
    kind            text not null,
    ref             text not null,
    amount          numeric(14, 2) not null,
    booked_at       timestamptz not null
);
insert into ledger.entries (account_id, counter_account, kind, ref, amount, booked_at)
select 1 + (random() * 399)::int, pg_temp.pick(125000), 'kind ' || i % 6, md5(i::text), random() * 1000,
       now() - (pg_temp.rows(250000) - i) * interval '500 days' / pg_temp.rows(250000)
  from generate_series(1, pg_temp.rows(250000)) i;
create index entries_counter on ledger.entries (counter_account);

create table ledger.transfers (
    id           bigint generated always as identity primary key,
    from_account bigint not null,
    to_account   bigint not null,
    amount       numeric(14, 2) not null,
    requested_at timestamptz not null default now()
);
insert into ledger.transfers (from_account, to_account, amount)
select pg_temp.pick(20000), pg_temp.pick(20000), random() * 500
  from generate_series(1, pg_temp.rows(120000));

create table ledger.tickets (
    id          bigint generated always as identity primary key,
    assigned_to int not null,
    priority    smallint not null,
    status      text not null,
    subject     text not null,
    opened_at   timestamptz not null,
    closed_at   timestamptz
);
insert into ledger.tickets (assigned_to, priority, status, subject, opened_at, closed_at)
select 1 + (random() * 1999)::int, (random() * 5)::int, (array['new', 'waiting', 'solved', 'closed'])[1 + i % 4],
       'About ' || md5(i::text), now() - random() * interval '900 days', now() - random() * interval '90 days'
  from generate_series(1, pg_temp.rows(80000)) i;

create table ledger.rates (currency text not null, valid_on date not null, rate numeric(12, 6) not null);
insert into ledger.rates
select 'C' || c, current_date - d, random() from generate_series(1, 10) c, generate_series(1, 30) d;

-- Written with every booking, read once a quarter by its key.
create table ledger.audit (
    id        bigint generated always as identity primary key,
    actor     text not null,
    object_id bigint not null,
    at        timestamptz not null default now()
);
insert into ledger.audit (actor, object_id)
select 'actor ' || i % 300, (random() * 20000)::int from generate_series(1, pg_temp.rows(80000)) i;
create index audit_actor on ledger.audit (actor);

-- Never asked by their indexes; a constraint and a subscriber need them.
create table ledger.vault_slots (
    vault  int not null,
    during tsrange not null,
    exclude using gist (during with &&)
);
insert into ledger.vault_slots
select i, tsrange(timestamp '2026-01-01' + i * interval '1 hour', timestamp '2026-01-01' + (i + 1) * interval '1 hour')
  from generate_series(1, 3000) i;
create table ledger.replicated (code text not null, title text not null);
insert into ledger.replicated select 'code ' || i, 'title' from generate_series(1, 5000) i;
create unique index replicated_code on ledger.replicated (code);
alter table ledger.replicated replica identity using index replicated_code;

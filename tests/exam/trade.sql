-- Seven years of a trader's orders, kept to be analysed; in the manner of TPC-H, in words of our own. Loaded in the order of
-- time, as it happened. Tables have their primary keys and nothing else.
create schema trade;

create table trade.regions (id int primary key, name text not null);
insert into trade.regions select i, 'Region ' || i from generate_series(1, 5) i;

create table trade.nations (id int primary key, name text not null, region int not null references trade.regions);
insert into trade.nations select i, 'Nation ' || i, 1 + i % 5 from generate_series(1, 25) i;

create table trade.makers (
    id      int primary key,
    name    text not null,
    nation  int not null references trade.nations,
    balance numeric(12, 2) not null
);
insert into trade.makers
select i, 'Maker ' || i, 1 + i % 25, (i * 7919) % 10000 from generate_series(1, pg_temp.rows(1000)) i;

create table trade.parts (
    id        int primary key,
    name      text not null,
    brand     text not null,
    kind      text not null,
    size      int not null,
    packing   text not null,
    price     numeric(8, 2) not null
);
insert into trade.parts
select i, 'Part ' || md5(i::text), 'Brand ' || 1 + i % 25, 'kind ' || i / 25 % 150, 1 + (i * 31) % 50,
       'packing ' || 1 + i / 25 % 40, 900 + i % 1000
  from generate_series(1, pg_temp.rows(40000)) i;

create table trade.offers (
    part      int not null references trade.parts,
    maker     int not null references trade.makers,
    available int not null,
    cost      numeric(8, 2) not null,
    primary key (part, maker)
);
insert into trade.offers
select p, 1 + (p * 4 + o * (pg_temp.rows(1000) / 4)) % pg_temp.rows(1000), (p * 31 + o) % 10000, 1 + (p * 17 + o) % 1000
  from generate_series(1, pg_temp.rows(40000)) p, generate_series(0, 3) o;

create table trade.buyers (
    id      int primary key,
    name    text not null,
    nation  int not null references trade.nations,
    phone   text not null,
    balance numeric(12, 2) not null,
    segment text not null
);
insert into trade.buyers
select i, 'Buyer ' || i, 1 + i % 25, 10 + i % 25 || '-' || md5(i::text), (i * 7919) % 11000 - 1000, 'segment ' || i / 25 % 5
  from generate_series(1, pg_temp.rows(15000)) i;

create table trade.orders (
    id        int primary key,
    buyer     int not null references trade.buyers,
    status    char(1) not null,
    total     numeric(12, 2) not null,
    placed_on date not null,
    priority  int not null,
    clerk     text not null
);
insert into trade.orders
select i, pg_temp.pick(15000), case when i % 2 = 0 then 'F' else 'O' end, 1000 + i % 5000,
       date '2019-01-01' + (i::bigint * 2556 / pg_temp.rows(120000))::int, 1 + i % 5, 'clerk ' || i % 1000
  from generate_series(1, pg_temp.rows(120000)) i;

create table trade.items (
    order_id    int not null references trade.orders,
    line        int not null,
    part        int not null,
    maker       int not null,
    quantity    int not null,
    price       numeric(10, 2) not null,
    discount    numeric(4, 2) not null,
    flag        char(1) not null,
    shipped_on  date not null,
    promised_on date not null,
    received_on date not null,
    primary key (order_id, line)
);
insert into trade.items
select id, l, part, 1 + (part * 4 + l * (pg_temp.rows(1000) / 4)) % pg_temp.rows(1000), 1 + (id + l) % 50, 100 + part % 900,
       (id + l) % 11 / 100.0, case when (id + l) % 4 = 0 then 'R' else 'N' end, placed_on + 1 + away, placed_on + 60,
       placed_on + 10 + away
  from (select id, l, placed_on, pg_temp.pick(40000) as part, (random() * 60)::int as away
          from trade.orders, generate_series(1, 4) l) ordered;
alter table trade.items add foreign key (part, maker) references trade.offers not valid;

-- A wholesaler: depots with routes, buyers on them, stock, sales of several lines each; in the manner of TPC-C, in words of
-- our own. Tables have their primary keys and nothing else. Four depots, ten routes each.
create schema wholesale;

create table wholesale.depots (
    id       int primary key,
    name     text not null,
    tax      numeric(4, 4) not null,
    turnover numeric(14, 2) not null default 0
) with (fillfactor = 50);
insert into wholesale.depots select i, 'Depot ' || i, i / 100.0 from generate_series(1, 4) i;

create table wholesale.routes (
    depot     int not null references wholesale.depots,
    no        int not null,
    tax       numeric(4, 4) not null,
    turnover  numeric(14, 2) not null default 0,
    next_sale int not null,
    primary key (depot, no)
) with (fillfactor = 50);
insert into wholesale.routes (depot, no, tax, next_sale)
select d, r, r / 100.0, pg_temp.rows(1500) + 1 from generate_series(1, 4) d, generate_series(1, 10) r;

-- Two or three buyers of a route have the same family name.
create table wholesale.buyers (
    depot      int not null,
    route      int not null,
    no         int not null,
    first_name text not null,
    last_name  text not null,
    credit     char(2) not null,
    balance    numeric(12, 2) not null default -10,
    paid_times int not null default 1,
    remarks    text not null,
    primary key (depot, route, no),
    foreign key (depot, route) references wholesale.routes
) with (fillfactor = 80);
insert into wholesale.buyers (depot, route, no, first_name, last_name, credit, remarks)
select d, r, b, 'First ' || md5(d || '-' || r || '-' || b), 'Last ' || (b * 7919) % pg_temp.rows(600),
       case when b % 10 = 0 then 'BC' else 'GC' end, repeat('remark ', 20)
  from generate_series(1, 4) d, generate_series(1, 10) r, generate_series(1, pg_temp.rows(1500)) b;

create table wholesale.goods (
    id    int primary key,
    name  text not null,
    price numeric(6, 2) not null
);
insert into wholesale.goods select i, 'Good ' || md5(i::text), 1 + i % 99 from generate_series(1, pg_temp.rows(20000)) i;

create table wholesale.stock (
    depot    int not null references wholesale.depots,
    good     int not null references wholesale.goods,
    quantity int not null,
    sold     bigint not null default 0,
    sales    int not null default 0,
    note     text not null,
    primary key (depot, good)
) with (fillfactor = 80);
insert into wholesale.stock (depot, good, quantity, note)
select d, g, 10 + (g * 31) % 90, repeat('n', 100) from generate_series(1, 4) d, generate_series(1, pg_temp.rows(20000)) g;

-- As many sales as buyers on each route, in any order of the buyers.
create table wholesale.sales (
    depot     int not null,
    route     int not null,
    no        int not null,
    buyer     int not null,
    placed_at timestamptz not null default now(),
    carrier   int,
    lines     int not null,
    primary key (depot, route, no),
    foreign key (depot, route, buyer) references wholesale.buyers
) with (fillfactor = 80);
insert into wholesale.sales
select d, r, s, 1 + (s::bigint * 7919) % pg_temp.rows(1500), now() - (pg_temp.rows(1500) - s) * interval '1 minute',
       case when s <= pg_temp.rows(1500) * 0.9 then 1 + s % 10 end, 5
  from generate_series(1, pg_temp.rows(1500)) s, generate_series(1, 4) d, generate_series(1, 10) r;

-- The sales that are not delivered yet: a queue of each route.
create table wholesale.open_sales (
    depot int not null,
    route int not null,
    sale  int not null,
    primary key (depot, route, sale),
    foreign key (depot, route, sale) references wholesale.sales
);
insert into wholesale.open_sales select depot, route, no from wholesale.sales where carrier is null;

create table wholesale.sale_lines (
    depot        int not null,
    route        int not null,
    sale         int not null,
    line         int not null,
    good         int not null,
    quantity     int not null,
    amount       numeric(8, 2) not null,
    delivered_at timestamptz,
    primary key (depot, route, sale, line),
    foreign key (depot, route, sale) references wholesale.sales,
    foreign key (depot, good) references wholesale.stock
) with (fillfactor = 80);
insert into wholesale.sale_lines
select depot, route, no, l, pg_temp.pick(20000), 5, 10, case when carrier is not null then placed_at end
  from wholesale.sales, generate_series(1, lines) l;

-- What buyers paid; it has no key, as it is only ever added to.
create table wholesale.payments (
    depot   int not null,
    route   int not null,
    buyer   int not null,
    paid_at timestamptz not null default now(),
    amount  numeric(8, 2) not null,
    note    text not null,
    foreign key (depot, route, buyer) references wholesale.buyers
);
insert into wholesale.payments
select 1 + i % 4, 1 + i / 4 % 10, pg_temp.pick(1500), now() - (pg_temp.rows(60000) - i) * interval '1 second', 10, 'paid in cash'
  from generate_series(1, pg_temp.rows(60000)) i;

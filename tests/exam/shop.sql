-- A shop with quoted names. Its statements name its tables without the schema: the database's search_path finds them.
create schema shop;

create table shop.customers (
    id              bigint generated always as identity primary key,
    email           text not null,
    name            text collate "en-x-icu" not null,
    "Loyalty Level" smallint not null,
    referral_code   text not null unique,
    created_at      timestamptz not null
);
insert into shop.customers (email, name, "Loyalty Level", referral_code, created_at)
select 'User' || i || '@Example.org', initcap(substr(md5(i::text), 1, 8)) || ' ' || substr(md5((-i)::text), 1, 6),
       1 + i % 2, 'R' || i, now() - (pg_temp.rows(100000) - i) * interval '720 days' / pg_temp.rows(100000)
  from generate_series(1, pg_temp.rows(100000)) i;
create index customers_name on shop.customers (name, id);

-- Volatile, as functions are by default: no index can be built on it.
create function shop.bucket(id bigint) returns int language plpgsql as 'begin return (id * 7919) % 10000; end';

create table shop.categories (id int primary key, slug text not null unique, title text not null);
insert into shop.categories select i, 'category-' || i, 'Category ' || i from generate_series(1, 40) i;

create table shop.products (
    id          bigint generated always as identity primary key,
    sku         text not null unique,
    title       text not null,
    category_id int not null references shop.categories,
    price       numeric(10, 2) not null,
    attributes  jsonb not null,
    tags        text[] not null
);
insert into shop.products (sku, title, category_id, price, attributes, tags)
select 'SKU-' || i, 'The ' || md5((i * 3)::text) || ' edition of ' || md5((i * 5)::text), 1 + i % 40, 3 + random() * 200,
       jsonb_build_object('colour', 'colour ' || (random() * 1000)::int, 'weight', (random() * 50)::int, 'made', 'EU'),
       array['tag ' || (random() * 2000)::int, 'tag ' || (random() * 2000)::int, 'tag ' || (random() * 2000)::int]
  from generate_series(1, pg_temp.rows(40000)) i;
-- The same twice: one of them is to go.
create index products_category on shop.products (category_id);
create index products_category_again on shop.products (category_id);

create table shop."Order" (
    id           bigint generated always as identity primary key,
    "customerId" bigint not null references shop.customers,
    status       text not null,
    total        numeric(10, 2) not null,
    coupon_code  text,
    placed_at    timestamptz not null,
    updated_at   timestamptz not null default now(),
    note         text not null default ''
) with (fillfactor = 70);
insert into shop."Order" ("customerId", status, total, coupon_code, placed_at, note)
select 1 + (random() * 999)::int,
       case when i % 500 = 7 then 'open' when i % 10 = 0 then 'returned' when i % 3 = 0 then 'paid' else 'shipped' end,
       random() * 300, case when random() < 0.03 then 'SAVE' || (random() * 400)::int end,
       now() - (pg_temp.rows(200000) - i) * interval '720 days' / pg_temp.rows(200000), repeat('n', 20)
  from generate_series(1, pg_temp.rows(200000)) i;

create table shop.order_lines (
    order_id   bigint not null references shop."Order",
    line_no    int not null,
    product_id bigint not null references shop.products,
    quantity   int not null,
    price      numeric(10, 2) not null,
    primary key (order_id, line_no)
);
-- The last hundredth of the products was never sold.
insert into shop.order_lines
select o.id, l, pg_temp.pick(39000), 1 + l % 3, random() * 200
  from shop."Order" o, generate_series(1, 2) l where o.id % 4 <> 0;
-- The primary key begins with the same column.
create index order_lines_order on shop.order_lines (order_id);

-- Nobody deletes an order, so the key's index is never scanned; it has to stay all the same.
create table shop.refunds (
    id       bigint generated always as identity primary key,
    order_id bigint not null references shop."Order",
    amount   numeric(10, 2) not null
);
insert into shop.refunds (order_id, amount) select i, 5 from generate_series(1, pg_temp.rows(3000)) i;
create index refunds_order on shop.refunds (order_id);

-- Each visit of a cart's owner touches it: an update that stays in its page as long as no index has touched_at.
create table shop.carts (
    id         bigint generated always as identity primary key,
    token      text not null unique,
    touched_at timestamptz not null,
    content    jsonb not null
) with (fillfactor = 50);
insert into shop.carts (token, touched_at, content)
select md5(i::text), now() - random() * interval '90 days', '{"lines": []}'
  from generate_series(1, pg_temp.rows(60000)) i;

-- Written all day, read by hardly anybody.
create table shop.page_views (
    id      bigint generated always as identity primary key,
    visitor uuid not null,
    path    text not null,
    seen_at timestamptz not null default now()
);
insert into shop.page_views (visitor, path)
select gen_random_uuid(), '/p/' || (random() * 5000)::int from generate_series(1, pg_temp.rows(80000));

create table shop."Price List.v2" (
    "List"        text not null,
    "Product Ref" text not null,
    "Unit ""net""" numeric(10, 2) not null,
    valid_from    date not null
);
insert into shop."Price List.v2"
select 'list ' || l, 'ref ' || r, random() * 100, current_date - l
  from generate_series(1, 20) l, generate_series(1, pg_temp.rows(5000)) r order by md5(l::text || r);

-- saas has notes too: other ones.
create table shop.notes (id bigint generated always as identity primary key, about bigint not null, body text not null);
insert into shop.notes (about, body)
select (random() * 5000)::int, repeat('text ', 20) from generate_series(1, pg_temp.rows(40000));

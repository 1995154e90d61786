"""The shop's statements, what is right for them and what is not."""

from tests.exam.model import Drop, Index, Keep, Match, Right, School, Shape, Wrong, btree, gin

ORDER, PRICES = 'shop."Order"', 'shop."Price List.v2"'

READS = (
    Shape(
        name="newest orders of a customer",
        tables=(ORDER,),
        sql='select id, status, total from "Order" where "customerId" = $1 order by placed_at desc limit 10',
        values='select distinct "customerId" from shop."Order" order by 1 limit 60',
        calls=60,
    ),
    Shape(
        name="sales of a product",
        tables=("shop.order_lines",),
        sql="select sum(quantity * price) from order_lines where product_id = $1",
        values="select id from shop.products order by id limit 40",
        calls=40,
    ),
    Shape(
        name="customer by e-mail",
        tables=("shop.customers",),
        sql="select id, name from customers where lower(email) = $1",
        values="select lower(email) from shop.customers order by id desc limit 40",
        calls=40,
    ),
    Shape(
        name="customers by the beginning of a name",
        tables=("shop.customers",),
        sql="select id, name from customers where name like $1",
        values="select substr(name, 1, 5) || '%' from shop.customers order by id limit 30",
        calls=30,
    ),
    Shape(
        name="products by a word of the title",
        tables=("shop.products",),
        sql="select id, sku, title from products where title ilike $1",
        values="select '%' || substr(title, 7, 9) || '%' from shop.products order by id limit 15",
        calls=15,
    ),
    Shape(
        name="products of a colour",
        tables=("shop.products",),
        sql="select id, title from products where attributes @> $1",
        values="select jsonb_build_object('colour', 'colour ' || i)::text from generate_series(1, 30) i",
        calls=30,
    ),
    Shape(
        name="products with a tag",
        tables=("shop.products",),
        sql="select id, title from products where tags @> array[$1::text]",
        values="select 'tag ' || i from generate_series(1, 30) i",
        calls=30,
    ),
    Shape(
        name="orders with a coupon",
        tables=(ORDER,),
        sql='select id, total from "Order" where coupon_code = $1',
        values="select 'SAVE' || i from generate_series(1, 30) i",
        calls=30,
    ),
    Shape(
        name="open orders",
        tables=(ORDER,),
        sql='select id, "customerId", total from "Order" where status = \'open\' order by placed_at',
        calls=40,
    ),
    Shape(
        name="price on a list",
        tables=(PRICES,),
        sql='select "Unit ""net""", valid_from from "Price List.v2" where "List" = $1 and "Product Ref" = $2',
        values="""select 'list ' || 1 + i % 20, 'ref ' || i from generate_series(1, 40) i""",
        calls=40,
    ),
    Shape(
        name="new customers of the week",
        tables=("shop.customers",),
        sql="select count(*), max(name) from customers where created_at > now() - interval '7 days'",
        calls=40,
    ),
    Shape(
        name="notes about something",
        tables=("shop.notes",),
        sql="select id, body from notes where about = $1",
        values="select i from generate_series(1, 40) i",
        calls=40,
    ),
    Shape(
        name="products of a category",
        tables=("shop.products",),
        sql="select id, title, price from products where category_id = $1",
        values="select i from generate_series(1, 40) i",
        calls=40,
    ),
    Shape(
        name="customers by name",
        tables=("shop.customers",),
        sql="select id, name from customers where name > $1 order by name, id limit 20",
        values="select name from shop.customers order by id limit 100",
        calls=100,
    ),
    Shape(
        name="category by slug",
        tables=("shop.categories",),
        sql="select id, title from categories where title = $1",
        values="select title from shop.categories",
        calls=500,
    ),
    Shape(
        name="lines of an order",
        tables=("shop.order_lines",),
        sql="select line_no, product_id, quantity from order_lines where order_id = $1",
        values="select distinct order_id from shop.order_lines order by 1 limit 300",
        calls=300,
    ),
    Shape(
        name="product by its number",
        tables=("shop.products",),
        sql="select id, title from products where sku = $1",
        values="select sku from shop.products order by id limit 300",
        calls=300,
    ),
    Shape(
        name="customer by key",
        tables=("shop.customers",),
        sql="select name, email from customers where id = $1",
        values="select id from shop.customers order by id limit 500",
        calls=500,
    ),
    Shape(
        name="cart by token",
        tables=("shop.carts",),
        sql="select id, content from carts where token = $1",
        values="select token from shop.carts order by id limit 300",
        calls=300,
    ),
    Shape(
        name="spelling of a loyalty level",
        tables=("shop.customers",),
        sql='select avg(length(name)), max(email) from customers where "Loyalty Level" = $1',
        values="select i::int2 from generate_series(1, 2) i",
        calls=12,
    ),
    Shape(
        name="products that cost something",
        tables=("shop.products",),
        sql="select avg(length(title)), max(price) from products where price > $1",
        values="select 5 + i / 10.0 from generate_series(1, 10) i",
        calls=20,
    ),
    Shape(
        name="customers of a bucket",
        tables=("shop.customers",),
        sql="select count(*) from customers where bucket(id) = $1",
        values="select i from generate_series(1, 3) i",
        calls=3,
    ),
    Shape(
        name="views of a path",
        tables=("shop.page_views",),
        sql="select count(*) from page_views where path = $1",
        values="select '/p/' || i from generate_series(1, 2) i",
        calls=2,
    ),
    Shape(
        name="views of a visitor",
        tables=("shop.page_views",),
        sql="select path, seen_at from page_views where visitor = $1",
        values="select visitor from shop.page_views order by id limit 2",
        calls=2,
    ),
    Shape(
        name="orders changed lately",
        tables=(ORDER,),
        sql='select id, status from "Order" where updated_at > $1',
        values="select now() + interval '1 hour'",
        calls=2,
    ),
)

WRITES = (
    Shape(
        name="a visit of a cart",
        tables=("shop.carts",),
        sql="update carts set touched_at = now() where id = $1",
        values="select id from shop.carts order by md5(id::text) limit 5000",
        calls=20000,
    ),
    Shape(
        name="carts left behind",
        tables=("shop.carts",),
        sql="delete from carts where touched_at < $1",
        values="select min(touched_at) + interval '10 minutes' from shop.carts",
        calls=2,
    ),
    Shape(
        name="a page view",
        tables=("shop.page_views",),
        sql="insert into page_views (visitor, path) values ($1, $2)",
        values="select gen_random_uuid(), '/p/' || (random() * 5000)::int from generate_series(1, 10000)",
        calls=40000,
    ),
    Shape(
        name="an order",
        tables=(ORDER,),
        sql='insert into "Order" ("customerId", status, total, placed_at) values ($1, $2, $3, now())',
        values="select 1 + i % 1000, 'paid', i from generate_series(1, 1000) i",
        calls=1000,
    ),
    Shape(
        name="a step of an order",
        tables=(ORDER,),
        sql='update "Order" set updated_at = now(), note = $2 where id = $1',
        values="select id, repeat('m', 20) from shop.\"Order\" order by md5(id::text) limit 5000",
        calls=15000,
    ),
    Shape(
        name="a line of an order",
        tables=("shop.order_lines",),
        sql="insert into order_lines values ($1, $2, $3, 1, 10)",
        values="""select o.id, 1 + count(l.line_no)::int, 1 + o.id % 300
                    from shop."Order" o left join shop.order_lines l on l.order_id = o.id
                   where o.id % 4 = 0 and o.id <= 8000 group by o.id""",
        calls=2000,
    ),
    Shape(
        name="a product taken off",
        tables=("shop.products", "shop.order_lines"),
        sql="delete from products where id = $1",
        values="select id from shop.products order by id desc limit 10",
        calls=10,
    ),
)

RIGHTS = (
    Right(
        table=ORDER,
        answers=(btree('"customerId"', "placed_at"),),
        shape="newest orders of a customer",
    ),
    Right(table="shop.order_lines", answers=(btree("product_id"),), shape="sales of a product"),
    Right(table="shop.customers", answers=(btree("lower(email)"),), shape="customer by e-mail"),
    Right(
        table="shop.customers",
        answers=(btree("name text_pattern_ops"), btree('name collate "C"')),
        shape="customers by the beginning of a name",
    ),
    Right(
        table="shop.products",
        answers=(gin("title gin_trgm_ops"), Index(keys=("title gist_trgm_ops",), method="gist")),
        shape="products by a word of the title",
    ),
    Right(
        table="shop.products",
        answers=(gin("attributes jsonb_path_ops"), gin("attributes")),
        shape="products of a colour",
    ),
    Right(table="shop.products", answers=(gin("tags"),), shape="products with a tag"),
    Right(
        table=ORDER,
        answers=(btree("coupon_code"), btree("coupon_code", where="coupon_code is not null")),
        shape="orders with a coupon",
    ),
    Right(
        table=ORDER,
        answers=(
            btree("status"),
            btree("status", "placed_at"),
            btree("placed_at", where="status = 'open'"),
            btree("status", where="status = 'open'"),
            btree("status", "placed_at", where="status = 'open'"),
            btree("id", where="status = 'open'"),
        ),
        shape="open orders",
    ),
    Right(
        table=PRICES,
        answers=(btree('"Product Ref"', '"List"'), btree('"List"', '"Product Ref"'), btree('"Product Ref"')),
        shape="price on a list",
    ),
    Right(
        table="shop.customers",
        answers=(btree("created_at"), Index(keys=("created_at",), method="brin"), btree("created_at", "name")),
        shape="new customers of the week",
    ),
    Right(table="shop.notes", answers=(btree("about"),), shape="notes about something"),
)

WRONGS = (
    Wrong(table="shop.categories", index=btree("title"), match=Match.TABLE, why="the table is tiny"),
    Wrong(
        table=ORDER,
        index=btree('"customerId"'),
        given=((ORDER, btree('"customerId"', "placed_at")),),
        why='the one on ("customerId", placed_at) serves it',
    ),
    Wrong(
        table="shop.customers",
        index=btree('"Loyalty Level"'),
        match=Match.LEADING,
        why="half of the rows, on every page",
    ),
    Wrong(table="shop.order_lines", index=btree("order_id"), why="the primary key begins with it"),
    Wrong(
        table="shop.carts",
        index=btree("touched_at"),
        match=Match.HOLDS,
        why="each visit would write to all indexes; read twice",
    ),
    Wrong(table="shop.page_views", index=btree("path"), match=Match.HOLDS, why="written all day, asked twice"),
    Wrong(table="shop.page_views", index=btree("visitor"), match=Match.HOLDS, why="written all day, asked twice"),
    Wrong(table=ORDER, index=btree("updated_at"), match=Match.HOLDS, why="each step would write to all indexes"),
    Wrong(table="shop.products", index=btree("price"), match=Match.LEADING, why="nearly all rows are asked for"),
    Wrong(table="shop.customers", index=btree("id"), match=Match.LEADING, why="the primary key serves it"),
    Wrong(table="shop.customers", index=btree("name"), why="customers_name begins with it"),
    Wrong(table="shop.products", index=btree("sku"), match=Match.LEADING, why="the unique constraint serves it"),
    Wrong(table="shop.products", index=btree("title"), match=Match.LEADING, why="no btree finds a word in the middle"),
    Wrong(table="shop.customers", index=btree("shop.bucket(id)"), why="the function is volatile"),
    Wrong(table="shop.carts", index=btree("token"), match=Match.LEADING, why="the unique constraint serves it"),
)

DROPS = (
    Drop(any_of=("shop.products_category", "shop.products_category_again"), why="the same twice"),
    Drop(any_of=("shop.order_lines_order",), why="the primary key begins with the same column"),
)

KEEPS = (
    Keep(name="shop.refunds_order", why="never scanned, but the foreign key needs it as soon as an order is deleted"),
    Keep(name="shop.customers_referral_code_key", why="never scanned, but it keeps the codes unique"),
    Keep(name="shop.order_lines_pkey", why="never scanned: order_lines_order takes all its scans, and goes"),
    Keep(name="shop.categories_slug_key", why="never scanned, but it keeps the slugs unique"),
)

SHOP = School(name="shop", shapes=READS + WRITES, rights=RIGHTS, wrongs=WRONGS, drops=DROPS, keeps=KEEPS)

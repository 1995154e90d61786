"""The shop: which indexes are right for its statements, which are not, and which should go."""

from tests.exam.model import Drop, Index, Keep, Match, Right, School, Wrong, btree, gin
from tests.exam.shop_work import ORDER, PRICES, READS, WRITES

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

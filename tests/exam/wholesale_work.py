"""The wholesaler at work: new sales, payments, enquiries, deliveries, and looks at the stock."""

from tests.exam.model import Shape

BUYERS, SALES, LINES = "wholesale.buyers", "wholesale.sales", "wholesale.sale_lines"
PAYMENTS, STOCK, ROUTES = "wholesale.payments", "wholesale.stock", "wholesale.routes"
OPEN, GOODS, DEPOTS = "wholesale.open_sales", "wholesale.goods", "wholesale.depots"

_ANY_BUYER = "select 1 + i % 4, 1 + i / 4 % 10, 1 + (i * 37) % 300 from generate_series(1, {many}) i"

READS = (
    Shape(
        name="buyers of a name",
        tables=(BUYERS,),
        sql="""select no, first_name, balance, credit from buyers
                where depot = $1 and route = $2 and last_name = $3 order by first_name""",
        values="""select depot, route, last_name from wholesale.buyers
                   where no % 40 = 7 order by md5(first_name) limit 400""",
        calls=2400,
    ),
    Shape(
        name="a buyer",
        tables=(BUYERS,),
        sql="select first_name, last_name, credit from buyers where depot = $1 and route = $2 and no = $3",
        values=_ANY_BUYER.format(many=500),
        calls=1000,
    ),
    Shape(
        name="last sale of a buyer",
        tables=(SALES,),
        sql="""select no, placed_at, carrier from sales
                where depot = $1 and route = $2 and buyer = $3 order by no desc limit 1""",
        values=_ANY_BUYER.format(many=400),
        calls=4000,
    ),
    Shape(
        name="lines of a sale",
        tables=(LINES,),
        sql="""select good, quantity, amount, delivered_at from sale_lines
                where depot = $1 and route = $2 and sale = $3""",
        values=_ANY_BUYER.format(many=400),
        calls=1000,
    ),
    Shape(
        name="payments of a buyer",
        tables=(PAYMENTS,),
        sql="""select paid_at, amount from payments
                where depot = $1 and route = $2 and buyer = $3 order by paid_at desc limit 20""",
        values=_ANY_BUYER.format(many=200),
        calls=200,
    ),
    Shape(
        name="who bought a good",
        tables=(LINES,),
        sql="select depot, route, sale, quantity from sale_lines where good = $1",
        values="select i * 13 from generate_series(1, 60) i",
        calls=60,
    ),
    Shape(
        name="oldest open sale of a route",
        tables=(OPEN,),
        sql="select sale from open_sales where depot = $1 and route = $2 order by sale limit 1",
        values="select 1 + i % 4, 1 + i / 4 % 10 from generate_series(1, 40) i",
        calls=400,
    ),
    Shape(
        name="a good",
        tables=(GOODS,),
        sql="select name, price from goods where id = $1",
        values="select i * 3 from generate_series(1, 500) i",
        calls=3000,
    ),
    Shape(
        name="goods of the last sales that run short",
        tables=(LINES, STOCK),
        sql="""select count(distinct stock.good) from sale_lines join stock using (depot, good)
                where sale_lines.depot = $1 and route = $2 and sale >= $3 and sale < $4 and stock.quantity < $5""",
        values="select 1 + i % 4, 1 + i / 4 % 10, 300, 320, 20 from generate_series(1, 40) i",
        calls=200,
    ),
    Shape(
        name="taxes of a route",
        tables=(ROUTES, DEPOTS),
        sql="""select depots.tax, routes.tax, next_sale from depots join routes on routes.depot = depots.id
                where depots.id = $1 and routes.no = $2""",
        values="select 1 + i % 4, 1 + i / 4 % 10 from generate_series(1, 40) i",
        calls=1000,
    ),
    Shape(
        name="goods that run short everywhere",
        tables=(STOCK,),
        sql="select good, depot from stock where quantity < $1",
        values="select 11",
        calls=2,
    ),
    Shape(
        name="turnover of the carriers",
        tables=(SALES,),
        sql="select carrier, count(*), sum(lines) from sales where carrier is not null group by carrier",
        calls=3,
    ),
)

WRITES = (
    Shape(
        name="the next number of a route",
        tables=(ROUTES,),
        sql="update routes set next_sale = next_sale + 1 where depot = $1 and no = $2 returning next_sale",
        values="select 1 + i % 4, 1 + i / 4 % 10 from generate_series(1, 40) i",
        calls=1000,
    ),
    Shape(
        name="a sale",
        tables=(SALES, BUYERS),
        sql="insert into sales (depot, route, no, buyer, lines) values ($1, $2, $3, $4, 5)",
        values="""select 1 + i % 4, 1 + i / 4 % 10, most + i, 1 + i % 300
                    from generate_series(1, 1000) i, (select max(no) as most from wholesale.sales) known""",
        calls=1000,
    ),
    Shape(
        name="a sale is open",
        tables=(OPEN, SALES),
        sql="insert into open_sales (depot, route, sale) values ($1, $2, $3)",
        values="""select depot, route, no from wholesale.sales
                   where (depot, route, no) not in (table wholesale.open_sales) order by no, route, depot limit 300""",
        calls=300,
    ),
    Shape(
        name="a line of a sale",
        tables=(LINES, SALES, STOCK),
        sql="""insert into sale_lines (depot, route, sale, line, good, quantity, amount)
               values ($1, $2, $3, $4, $5, 5, 10)""",
        values="""select 1 + i % 4, 1 + i / 4 % 10, 1 + i % 300, most + i, 1 + i % 1000
                    from generate_series(1, 5000) i, (select max(line) as most from wholesale.sale_lines) known""",
        calls=5000,
    ),
    Shape(
        name="goods leave the stock",
        tables=(STOCK,),
        sql="""update stock set quantity = quantity - $3, sold = sold + $3, sales = sales + 1
                where depot = $1 and good = $2""",
        values="select 1 + i % 4, 1 + (i * 7) % 4000, 1 from generate_series(1, 2000) i",
        calls=5000,
    ),
    Shape(
        name="a payment",
        tables=(PAYMENTS, BUYERS),
        sql="insert into payments (depot, route, buyer, amount, note) values ($1, $2, $3, 10, 'paid by card')",
        values=_ANY_BUYER.format(many=1000),
        calls=1000,
    ),
    Shape(
        name="a buyer has paid",
        tables=(BUYERS,),
        sql="""update buyers set balance = balance - 10, paid_times = paid_times + 1
                where depot = $1 and route = $2 and no = $3""",
        values=_ANY_BUYER.format(many=1000),
        calls=3000,
    ),
    Shape(
        name="turnover of a route",
        tables=(ROUTES,),
        sql="update routes set turnover = turnover + 10 where depot = $1 and no = $2",
        values="select 1 + i % 4, 1 + i / 4 % 10 from generate_series(1, 40) i",
        calls=1000,
    ),
    Shape(
        name="an open sale is delivered",
        tables=(OPEN,),
        sql="delete from open_sales where depot = $1 and route = $2 and sale = $3",
        values="select depot, route, sale from wholesale.open_sales order by sale, route, depot limit 300",
        calls=300,
    ),
    Shape(
        name="a sale has a carrier",
        tables=(SALES,),
        sql="update sales set carrier = $4 where depot = $1 and route = $2 and no = $3",
        values="select 1 + i % 4, 1 + i / 4 % 10, i, 3 from generate_series(1, 300) i",
        calls=300,
    ),
    Shape(
        name="lines are delivered",
        tables=(LINES,),
        sql="update sale_lines set delivered_at = now() where depot = $1 and route = $2 and sale = $3",
        values="select 1 + i % 4, 1 + i / 4 % 10, i from generate_series(1, 300) i",
        calls=300,
    ),
)

"""The trader's analysts at work: reports over years, and enquiries about a part, a buyer, a maker, a week."""

from tests.exam.model import Shape

ITEMS, ORDERS, OFFERS, PARTS = "trade.items", "trade.orders", "trade.offers", "trade.parts"
BUYERS, MAKERS, NATIONS, REGIONS = "trade.buyers", "trade.makers", "trade.nations", "trade.regions"

WEEKS = "select date '2020-01-06' + 70 * i, date '2020-01-13' + 70 * i from generate_series(1, 20) i"

ENQUIRIES = (
    Shape(
        name="what a week's discounts cost",
        tables=(ITEMS,),
        sql="""select sum(price * discount) from items
                where shipped_on >= $1 and shipped_on < $2 and discount between 0.03 and 0.07 and quantity < 24""",
        values=WEEKS,
        calls=20,
    ),
    Shape(
        name="late items of a week's orders by priority",
        tables=(ORDERS, ITEMS),
        sql="""select priority, count(*) from orders
                where placed_on >= $1 and placed_on < $2
                      and exists (select from items where order_id = id and received_on > promised_on)
                group by priority order by priority""",
        values=WEEKS,
        calls=40,
    ),
    Shape(
        name="orders of a buyer with their items",
        tables=(ORDERS, ITEMS),
        sql="""select orders.id, placed_on, part, quantity, price
                 from orders join items on order_id = orders.id where buyer = $1""",
        values="select i * 7 from generate_series(1, 60) i",
        calls=60,
    ),
    Shape(
        name="small amounts of a part",
        tables=(ITEMS,),
        sql="""select sum(price) / 7.0 from items
                where part = $1 and quantity < (select 0.5 * avg(quantity) from items where part = $1)""",
        values="select i * 7 from generate_series(1, 40) i",
        calls=40,
    ),
    Shape(
        name="offers of a maker",
        tables=(OFFERS, PARTS),
        sql="""select parts.name, available, cost from offers join parts on parts.id = part
                where maker = $1 order by cost limit 50""",
        values="select i from generate_series(1, 60) i",
        calls=60,
    ),
    Shape(
        name="what a maker shipped",
        tables=(ITEMS,),
        sql="select flag, sum(price * (1 - discount)), count(*) from items where maker = $1 group by flag",
        values="select i * 3 from generate_series(1, 40) i",
        calls=40,
    ),
    Shape(
        name="parts of a brand in a packing",
        tables=(PARTS,),
        sql="select id, name, price from parts where brand = $1 and packing = $2",
        values="select 'Brand ' || 1 + i % 25, 'packing ' || 1 + i % 40 from generate_series(1, 40) i",
        calls=100,
    ),
)

REPORTS = (
    Shape(
        name="prices by flag",
        tables=(ITEMS,),
        sql="""select flag, sum(quantity), sum(price), avg(discount), count(*) from items
                where shipped_on <= $1 group by flag order by flag""",
        values="select date '2025-06-01'",
        calls=3,
    ),
    Shape(
        name="orders by status and priority",
        tables=(ORDERS,),
        sql="select status, priority, count(*), sum(total) from orders where status = $1 group by status, priority",
        values="select 'F'",
        calls=5,
    ),
    Shape(
        name="turnover of a region's nations",
        tables=(ITEMS, ORDERS, BUYERS, NATIONS, REGIONS),
        sql="""select nations.name, sum(price * (1 - discount)) from regions
                 join nations on nations.region = regions.id
                 join buyers on buyers.nation = nations.id
                 join orders on orders.buyer = buyers.id
                 join items on items.order_id = orders.id
                where regions.id = $1 group by nations.name""",
        values="select i from generate_series(1, 3) i",
        calls=3,
    ),
    Shape(
        name="the largest orders",
        tables=(ITEMS, ORDERS),
        sql="""select orders.id, placed_on, total from orders
                where id in (select order_id from items group by order_id having sum(quantity) > $1)
                order by total desc limit 100""",
        values="select 190",
        calls=3,
    ),
    Shape(
        name="buyers by the number of their orders",
        tables=(BUYERS, ORDERS),
        sql="""select many, count(*) from (select buyers.id, count(orders.id) as many
                 from buyers left join orders on orders.buyer = buyers.id group by buyers.id) counted
                group by many order by many""",
        calls=3,
    ),
    Shape(
        name="makers of the kinds of parts",
        tables=(OFFERS, PARTS),
        sql="""select kind, count(distinct maker) from offers join parts on parts.id = part
                where brand <> $1 group by kind""",
        values="select 'Brand 7'",
        calls=3,
    ),
    Shape(
        name="buyers above the average",
        tables=(BUYERS,),
        sql="""select segment, count(*), sum(balance) from buyers
                where balance > (select avg(balance) from buyers) group by segment""",
        calls=10,
    ),
    Shape(
        name="makers of a nation",
        tables=(MAKERS, NATIONS),
        sql="select makers.name, balance from makers join nations on nations.id = nation where nations.name = $1",
        values="select 'Nation ' || i from generate_series(1, 20) i",
        calls=100,
    ),
    Shape(
        name="an order with its items",
        tables=(ORDERS, ITEMS),
        sql="""select placed_on, line, part, price from orders join items on order_id = orders.id
                where orders.id = $1""",
        values="select i * 11 from generate_series(1, 100) i",
        calls=300,
    ),
    Shape(
        name="cheapest offer of a part",
        tables=(OFFERS, MAKERS),
        sql="""select makers.name, cost from offers join makers on makers.id = maker
                where part = $1 order by cost limit 1""",
        values="select i * 11 from generate_series(1, 100) i",
        calls=300,
    ),
)

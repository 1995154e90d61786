"""An exam in two halves: texts that an input was put into on purpose, and honest ones of programs and mappers."""

import time

import pytest

from monitor.sql.attack import attack

LOOKUP = "SELECT id, name FROM products WHERE name = '{}' AND active LIMIT 10"
SORTED = "SELECT id, name FROM products WHERE id = {} ORDER BY name"
NUMBER = "SELECT id, name FROM products WHERE id = {}"
LOGIN = "SELECT * FROM users WHERE username = '{}' AND password = 'x'"
INSERTED = "INSERT INTO comments (room, text) VALUES (5, '{}')"
UPDATED = "UPDATE users SET bio = '{}' WHERE id = 5"
LINES = "SELECT id, name\n  FROM products\n WHERE id = {}\n   AND active\n ORDER BY name"
QUOTED_LINES = "SELECT id, name\n  FROM products\n WHERE name = '{}'\n   AND active\n LIMIT 10"

ATTACKS = [
    (SORTED, "1 and 1=1"),
    (NUMBER, "1 and 1=1"),
    (NUMBER, "5 AND 1=2"),
    (NUMBER, "5 and 1=1--"),
    (NUMBER, "1 or true"),
    (SORTED, "1 or true"),
    (LOGIN, "' or ''='"),
    (LOGIN, "x' or 1=1--"),
    (NUMBER, "1 or 1=1--"),
    (NUMBER, "1=1--"),
    (SORTED, "1 or 1 between 0 and 2"),
    (LOGIN, "x' or 1 between 0 and 2 --"),
    (LOGIN, "x' or 'a' between 'a' and 'b"),
    (INSERTED, "'||(select usename from pg_user limit 1)||'"),
    (UPDATED, "'||(select version())||'"),
    (LOOKUP, "x'||(select current_user)||'"),
    (UPDATED, "x', admin = true where id = 5 --"),
    (UPDATED, "x', admin = true --"),
    (LOOKUP, "x'; select pg_sleep(5); --"),
    (NUMBER, "1; select pg_sleep(5)"),
    (NUMBER, "1 and (select 1 from pg_sleep(3)) is null"),
    (NUMBER, "1 or pg_sleep_for('5 seconds') is null"),
    (NUMBER, "1 and 1=(select 1 from pg_sleep_until(now() + interval '5 s'))"),
    (NUMBER, "1 || pg_sleep(5)"),
    (NUMBER, "(select 1 from pg_sleep(5))"),
    (NUMBER, "(case when 1=1 then pg_sleep(5) end)"),
    (SORTED, "1; do $$ begin perform pg_sleep(5); end $$ --"),
    (NUMBER, "1; waitfor delay '0:0:5' --"),
    (NUMBER, "1; waitfor delay '0:0:5'"),
    (LOOKUP, "x'; waitfor delay '0:0:5' --"),
    (NUMBER, "1; drop table users"),
    (LOOKUP, "x'; drop table users--"),
    (LOOKUP, "x'\n; drop table users --"),
    (LOOKUP, "x';\ndrop table users --"),
    (LOOKUP, "x' --\n; drop table users --"),
    (NUMBER, "1 --\n; drop table users"),
    (NUMBER, "1 -- \n; delete from users"),
    (LINES, "1 -- \n; drop table users; --"),
    (QUOTED_LINES, "x' or 1=1 --"),
    (QUOTED_LINES, "x'--"),
    (QUOTED_LINES, "x' --"),
    (LINES, "1 or 1=1 --"),
    (LINES, "1 or 1=1"),
    (QUOTED_LINES, "x'; drop table users; --"),
    (QUOTED_LINES, "x' union select null, usename from pg_user --"),
    (QUOTED_LINES, "x' /*"),
    (NUMBER, "1 or 'a'='a'"),
    (NUMBER, "1 or 2=2"),
    (NUMBER, "-1 or 1=1"),
    (NUMBER, "1 or not false"),
    (LOGIN, "x' or 'x' is not null --"),
    (NUMBER, "1 or exists(select 1)"),
    (NUMBER, "1 or 1 like 1"),
    (NUMBER, "1 or 5>3"),
    (NUMBER, "1 or null is null"),
    (NUMBER, "1 or id=id"),
    (LOGIN, "x' or true or 'a'='b"),
    (LOOKUP, "x' or 1=1 or 'a'='b"),
    (LOGIN, "' OR 1=1 OR ''='"),
    (NUMBER, "1 union select 1, passwd from pg_shadow"),
    (NUMBER, "1 union select table_name, null from information_schema.tables"),
    (NUMBER, "1 union all select usename, passwd from pg_catalog.pg_shadow"),
    (NUMBER, "1; copy users to '/tmp/x'"),
    (NUMBER, "1; alter role app superuser"),
    (NUMBER, "1; update users set admin = true"),
    (NUMBER, "1; select pg_read_file('/etc/passwd')"),
    (NUMBER, "1 and 1=cast((select usename from pg_user limit 1) as int)"),
    (NUMBER, "1 and ascii(substr((select passwd from pg_shadow limit 1),1,1)) > 64"),
    (NUMBER, "1 and (select count(*) from pg_user) > 0"),
    (LOOKUP, "x' and (select substr(password,1,1) from users limit 1) = 'a"),
    (NUMBER, "1 order by 10--"),
    (LOOKUP, "x' order by 3 --"),
    (LOOKUP, "x' group by id having 1=1 --"),
    (LOOKUP, "x' and 1=2 --"),
    ("SELECT id FROM products ORDER BY {}", "id; drop table products"),
    ("SELECT id FROM products ORDER BY {}", "(select 1 from pg_sleep(5))"),
    ("SELECT id FROM products ORDER BY id LIMIT {}", "1; drop table users"),
    ("SELECT id FROM products ORDER BY id LIMIT {}", "1 offset 0 union select 1 from pg_user"),
    ("DELETE FROM cart WHERE user_id = {}", "1 or 1=1"),
    ("DELETE FROM cart WHERE user_id = {}", "1 or true"),
    ("SELECT id FROM t WHERE id IN ({})", "1) or 1=1 --"),
    ("SELECT id FROM t WHERE id IN ({})", "1) or (1=1"),
    ("SELECT id FROM t WHERE id IN ({}) AND open", "1,2) or true or id in (3"),
    ("SELECT id FROM t WHERE name LIKE '%{}%'", "' or '%'='"),
    ("SELECT id FROM t WHERE name LIKE '%{}%'", "' or 1=1 --"),
    ("SELECT id FROM t WHERE name LIKE '%{}%'", "'; drop table t; --"),
    ("SELECT count(*) FROM t WHERE (name = '{}')", "x') or true --"),
    ("SELECT count(*) FROM t WHERE (name = '{}')", "x') or ''=('"),
]

HONEST = {
    "own figures and pg_database": (
        "select 'orders' as what, count(*) from orders where state = 'x' union all select "
        "datname, pg_database_size(oid) from pg_database"
    ),
    "own figures and sizes": (
        "select 'orders', count(*) from orders where state = 'open' union all select relname, "
        "reltuples from pg_class where relkind = 'r'"
    ),
    "figures, sum": (
        "select sum(amount) from orders where kind = 5 union all select sum(pg_database_size(datname)) from pg_database"
    ),
    "names of both": "select name from products where kind = 5 union select relname from pg_class",
    "join on the catalogue": (
        "select t.id, c.reltuples from tables_watched t join pg_class c on c.relname = t.name where t.state = 'on'"
    ),
    "catalogue in a subselect": "select id from watched where state = 'on' and name in (select relname from pg_class)",
    "does it exist": (
        "select 1 from settings where name = 'x' and exists (select 1 from "
        "information_schema.tables where table_name = 'orders')"
    ),
    "1=1 at the begin, lower": "select id from t where 1=1 and id = 5 and name = 'x' order by id",
    "1=1 twice": "select id from t where 1=1 and 1=1 and id = 5",
    "true at the begin": "select id from t where true and id = 5 and name = 'x'",
    "true twice": "select id from t where true and true and id = 5",
    "mybatis": "SELECT id, name FROM users WHERE 1=1 AND name = 'bob' AND age > 20 LIMIT 10",
    "hibernate 5 conjunction": (
        "select user0_.id as id1_0_, user0_.name as name2_0_ from users user0_ where user0_.id=5 and 1=1"
    ),
    "hibernate 6 conjunction": "select u1_0.id from users u1_0 where u1_0.id=5 and 1=1",
    "hibernate 5 disjunction": "select user0_.id as id1_0_ from users user0_ where user0_.id=5 and 0=1",
    "hibernate case": (
        "select case when u1_0.kind=1 then 'a' when u1_0.kind=2 then 'b' end from users u1_0 where u1_0.id=5"
    ),
    "laravel none": 'select * from "users" where "id" = 5 and 0 = 1',
    "sequelize none": 'SELECT "id" FROM "users" AS "User" WHERE "User"."id" = 5 AND 0 = 1;',
    "typeorm none": 'SELECT "u"."id" FROM "user" "u" WHERE "u"."n" = 5 AND 0=1',
    "yii none": "SELECT * FROM users WHERE (id=5) AND (0=1)",
    "yii any": "SELECT * FROM users WHERE (id=5) AND (1=1)",
    "django empty q": ('SELECT "t"."id" FROM "t" WHERE ("t"."a" = 5 AND NOT ("t"."b" = 6 AND "t"."b" IS NOT NULL))'),
    "django annotation": (
        'SELECT "t"."id", CASE WHEN "t"."a" = 5 THEN true ELSE false END AS "x" FROM "t" WHERE "t"."b" = 1 ORDER BY 2'
    ),
    "django concat": 'SELECT CONCAT(\'a\', ("t"."name")::text) AS "l" FROM "t" WHERE "t"."id" = 5',
    "django exists": (
        'SELECT "t"."id" FROM "t" WHERE ("t"."n" = 5 OR EXISTS(SELECT 1 AS "a" FROM "u" U0 WHERE '
        'U0."t_id" = ("t"."id") LIMIT 1))'
    ),
    "sqlalchemy true": "SELECT a.id FROM a WHERE true AND a.owner = 7",
    "sqlalchemy exists": (
        "SELECT a.id FROM a WHERE a.n = 5 OR (EXISTS (SELECT 1 FROM b WHERE a.id = b.a_id AND b.k = 'x'))"
    ),
    "sqlalchemy between": "SELECT a.id FROM a WHERE a.n = 5 OR a.n BETWEEN 10 AND 20",
    "rails exists": ('SELECT 1 AS one FROM "users" WHERE "users"."email" = \'a@b.c\' AND "users"."id" != 5 LIMIT 1'),
    "rails or range": 'SELECT "p".* FROM "p" WHERE ("p"."n" BETWEEN 1 AND 5 OR "p"."n" IS NULL)',
    "rails where not": 'SELECT "p".* FROM "p" WHERE "p"."state" = \'a\' AND NOT ("p"."n" = 1 AND "p"."m" = 2)',
    "prisma in": (
        'SELECT "public"."User"."id" FROM "public"."User" WHERE ("public"."User"."id" IN (1,2,3) AND 1=1) OFFSET 0'
    ),
    "prisma raw or": 'SELECT "id" FROM "User" WHERE ("a" = 5 OR "b" = 6 OR 1=0)',
    "postgrest or": (
        'WITH pgrst_source AS (SELECT "public"."t".* FROM "public"."t" WHERE ("public"."t"."a" = '
        '5 OR "public"."t"."b" IS NULL)) SELECT null::bigint AS total FROM pgrst_source'
    ),
    "postgrest rpc": (
        'WITH pgrst_source AS (SELECT "public"."f"("a" := pgrst_args."a") FROM (SELECT '
        'json_to_record.* FROM json_to_record(\'{"a": 5}\') AS _("a" int)) pgrst_args) SELECT 1 '
        "FROM pgrst_source"
    ),
    "gotrue": (
        "SELECT users.id, users.email FROM users AS users WHERE instance_id = "
        "'00000000-0000-0000-0000-000000000000' and LOWER(email) = 'a@b.c' and aud = "
        "'authenticated' and is_sso_user = false LIMIT 1"
    ),
    "gotrue update": (
        "UPDATE users SET recovery_token = '', email_change = '' , updated_at = '2024-01-01' "
        "WHERE users.id = '0b9e4c6e-3f0f-4c5b-9a58-5ce2f0f1c7a1'"
    ),
    "gotrue cleanup": (
        "delete from refresh_tokens where id in (select id from refresh_tokens where revoked is "
        "true and updated_at < now() - interval '24 hours' limit 10 for update skip locked)"
    ),
    "pg_dump roles": (
        "SELECT c.tableoid, c.oid, c.relname FROM pg_class c WHERE c.relkind IN ('r','S') AND "
        "c.relowner IN (SELECT oid FROM pg_roles WHERE rolname = 'x')"
    ),
    "pg_dump copy": "COPY public.t (a, b) TO stdout;",
    "pg_dumpall": "SELECT oid, rolname, rolpassword FROM pg_authid WHERE rolname !~ '^pg_' ORDER BY 2",
    "psql du": (
        "SELECT r.rolname, r.rolsuper, ARRAY(SELECT b.rolname FROM pg_catalog.pg_auth_members m "
        "JOIN pg_catalog.pg_roles b ON (m.roleid = b.oid) WHERE m.member = r.oid) FROM "
        "pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY 1;"
    ),
    "psql df": (
        "SELECT n.nspname, CASE p.prokind WHEN 'a' THEN 'agg' WHEN 'w' THEN 'window' ELSE 'func' "
        "END FROM pg_catalog.pg_proc p WHERE p.proname OPERATOR(pg_catalog.~) '^(f)$' ORDER BY "
        "1, 2, 4;"
    ),
    "psql dp": (
        "SELECT n.nspname, (SELECT pg_catalog.array_to_string(c.relacl, E'\\n')) || E'\\n' FROM "
        "pg_catalog.pg_class c WHERE c.relkind IN ('r') AND n.nspname !~ '^pg_'"
    ),
    "text around a name": (
        "update rooms set label = 'Room of ' || (select name from users where id = 5) || '!' where id = 7"
    ),
    "log line": ("insert into log (line) values ('user ' || (select name from users where id = 5) || ' left')"),
    "label in a list": "select 'a' || (select name from users where id = 5) || 'b' as label from t",
    "json path": "select id from t where data @> '{\"a\": \"x' || '\"}' or id = 5",
    "concat": "select id from t where name = 'a' || 'b' and id = 5",
    "optional filter, null": "select id from t where (name = 'x' or 'x' is null) and ('y' is null or kind = 'y')",
    "optional filter alone": "select id from t where name = 'x' or 'x' is null",
    "optional filter, coalesce": "select id from t where name = coalesce('x', name) and id = id",
    "self compare": "select a.id from a join b on a.k = 5 or a.n = b.n where a.id = 7",
    "or flag": "select id from t where kind = 5 or true = flag",
    "or column": "select id from t where kind = 5 or is_true",
    "or null test": "select id from t where kind = 5 or name is not null",
    "or between": "select id from t where kind = 5 or n between 1 and 5",
    "or exists": "select id from t where kind = 5 or exists (select 1 from u where u.t = t.id)",
    "or now": "select id from t where kind = 5 or now() > '2024-01-01'",
    "check in a case": "select case when kind = 5 or true then 1 end from t",
    "join on true": (
        "select t.id from t left join lateral (select 1 from u where u.a = 5) x on true where t.k = 'x' or t.k = 'y'"
    ),
    "policy in a view": "select id from t where (owner = 5 or (select is_admin from me))",
    "report": "with d as (select 1 as n union all select 2) select n from d where n = 1 or n = 2",
    "recursive": (
        "with recursive c as (select id, parent from t where id = 5 union all select t.id, "
        "t.parent from t join c on t.parent = c.id) select * from c"
    ),
    "recursive path": (
        "with recursive c as (select id, 1 as depth, 'x' as path from t where id = 5 union all "
        "select t.id, depth + 1, path || '/' || t.name from t join c on t.parent = c.id) select "
        "* from c"
    ),
    "temp": "create temp table x as select id from t where k = 5; drop table x",
    "batch": "update t set a = 5 where id = 1; update u set b = 6 where id = 2; select 1",
    "substring": "select id from t where substring(code, 1, 3) = 'abc' and substr(name, 1, 1) = 'x'",
    "initial": ("select id from t where name = 'x' or substr(name, 1, 1) = (select initial from u where id = 5)"),
    "roles for a page": ("select u.name from users u where u.kind = 5 and u.name in (select rolname from pg_roles)"),
    "remark": "select id -- 'the key'\nfrom t\nwhere name = 'x' -- it's 'x'\n  and id = 5",
    "remarks on lines": "select id\nfrom t\nwhere name = 'x' -- 'twas so\n and id = 5",
    "quartz": (
        "SELECT TRIGGER_NAME FROM QRTZ_TRIGGERS WHERE SCHED_NAME = 'a' AND (MISFIRE_INSTR = -1 "
        "OR (MISFIRE_INSTR != -1 AND NEXT_FIRE_TIME >= 5)) ORDER BY NEXT_FIRE_TIME ASC"
    ),
    "queue": (
        "select id from jobs where state = 'x' and (run_at < now() or run_at is null) order by "
        "id limit 1 for update skip locked"
    ),
    "sleeping job": "select pg_sleep(5) from jobs where id = 5",
    "version": "select version(), current_user, 1 from t where a = 5",
    "series": (
        "select d, count(o.id) from generate_series('2024-01-01'::date, '2024-02-01', '1 day') d "
        "left join orders o on o.day = d and o.kind = 5 group by d"
    ),
    "search": "select id from t where name ilike '%or 1=1%' or body ilike '%union select%'",
    "values": "insert into t (a, b) values (1, 'or true'), (2, 'x''; drop table t')",
    "superset": ("SELECT * FROM (SELECT id, name FROM t WHERE kind = 5) AS virtual_table WHERE ((1 = 1)) LIMIT 1000"),
    "looker": (
        "SELECT t.id AS \"t.id\" FROM t WHERE ((t.a = 'x')) AND (1=1 -- no filter on 't.b'\n) GROUP BY 1 ORDER BY 1"
    ),
    "dbt": (
        "select * from (select id from t where kind = 5) as model limit 500 /* limit added "
        "automatically by dbt cloud */"
    ),
    "metabase": "-- Metabase:: userID: 1\nSELECT id FROM t WHERE TRUE AND kind = 5",
}


@pytest.mark.parametrize(("around", "given"), ATTACKS, ids=[f"{place} {each[1]}" for place, each in enumerate(ATTACKS)])
def test_an_input_that_became_sql_is_found(around: str, given: str) -> None:
    assert attack(around.format(given)) is not None


@pytest.mark.parametrize(("around", "given"), ATTACKS, ids=[f"{place} {each[1]}" for place, each in enumerate(ATTACKS)])
def test_the_same_input_as_a_value_is_not(around: str, given: str) -> None:
    """Bound, or quoted as it ought to be."""
    assert attack(around.replace("'{}'", "{}").format("$1")) is None
    if "'{}'" in around:
        quoted = given.replace("'", "''")
        assert attack(around.format(quoted)) is None


@pytest.mark.parametrize("sql", HONEST.values(), ids=HONEST.keys())
def test_an_honest_text_is_not_wherever_it_is_cut(sql: str) -> None:
    """Leading `1=1`, optional filters, own figures beside the catalogue's, subselects between texts."""
    assert attack(sql) is None
    assert attack(sql + ";") is None
    assert [attack(sql[:at], cut=True) for at in range(len(sql)) if attack(sql[:at], cut=True)] == []


def test_there_are_enough_of_both() -> None:
    assert len(ATTACKS) >= 40
    assert len(HONEST) >= 60


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 from t where a = 1 " + "and (select 1 " * 570 + "from pg_user ",
        "select 1 where " + "where 'x' || ( select 1 ) || " * 280,
        "select " + "from order by " * 570 + "; drop table x",
        "select a from t where a = 1 " + "union select 1 from pg_class " * 280,
        "select 1 from t where a = 1 " + "or ((((1 " * 800,
        "select 1 from t where a = 1 " + "or b = b " * 800,
    ],
    ids=["subselects", "halves", "lists", "unions", "parentheses", "names"],
)
def test_a_text_made_to_take_long_does_not(sql: str) -> None:
    """In processor time, so that a busy machine tells the same."""
    began = time.process_time()
    attack(sql[:8192])
    assert time.process_time() - began < 0.5

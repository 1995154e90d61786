"""Shapes of attacks: what injected inputs make of a statement is found, what programs write themselves is not."""

import time

import pytest

from monitor.sql.attack import Attack, attack

BENIGN = {
    "sqlalchemy": ("SELECT users.id, users.name FROM users WHERE users.name = 'bob' AND users.id IN (1, 2, 3) LIMIT 1"),
    "sqlalchemy empty in": "SELECT a.id FROM a WHERE a.owner = 7 AND a.id IN (NULL) AND (1 != 1)",
    "sqlalchemy or false": "SELECT a.id FROM a WHERE a.name = 'x' OR false",
    "sqlalchemy insertmany": (
        "INSERT INTO a (x, y) SELECT p0::INTEGER, p1::VARCHAR FROM (VALUES (1, 'a', 0), (2, 'b', 1)) AS "
        "imp_sen(p0, p1, sen_counter) ORDER BY sen_counter RETURNING a.id, a.id AS id__1"
    ),
    "sqlalchemy union": "SELECT a.id FROM a WHERE a.k = 'x' UNION ALL SELECT b.id FROM b WHERE b.k = 'y'",
    "django": """SELECT "auth_user"."id" FROM "auth_user" WHERE "auth_user"."username" = 'bob' LIMIT 21""",
    "django exists": ('SELECT 1 AS "a" FROM "shop_order" WHERE ("shop_order"."n" = 5 OR "shop_order"."n" = 6) LIMIT 1'),
    "django like": """SELECT "t"."id" FROM "t" WHERE UPPER("t"."name"::text) LIKE UPPER('%and 1=1%')""",
    "django savepoint": 'SAVEPOINT "s140_x1" ',
    "django insert": (
        """INSERT INTO "t" ("a", "b") VALUES ('it''s; drop table t --', 2), ('x', 3) RETURNING "t"."id" """
    ),
    "django tables": (
        "SELECT c.relname, CASE WHEN c.relispartition THEN 'p' WHEN c.relkind IN ('m', 'v') THEN 'v' "
        "ELSE 't' END FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = "
        "c.relnamespace WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND n.nspname NOT IN ('pg_catalog', "
        "'pg_toast') AND pg_catalog.pg_table_is_visible(c.oid)"
    ),
    "rails": (
        """SELECT "users".* FROM "users" WHERE "users"."email" = 'a@b.c' LIMIT 1 """
        "/*application='Shop',controller='users'*/"
    ),
    "rails marginalia": (
        "SELECT COUNT(*) FROM posts WHERE posts.user_id = 5 /*application:Shop,controller:posts,line:don't*/"
    ),
    "rails none": 'SELECT "posts".* FROM "posts" WHERE (1=0)',
    "rails or": """SELECT "p".* FROM "p" WHERE ("p"."state" = 'a' OR "p"."state" = 'b' AND "p"."n" > 1)""",
    "rails schema": (
        "SELECT a.attname FROM (SELECT indrelid, indkey, generate_subscripts(indkey, 1) idx FROM "
        """pg_index WHERE indrelid = '"users"'::regclass AND indisprimary) i JOIN pg_attribute a ON """
        "a.attrelid = i.indrelid"
    ),
    "rails advisory": "SELECT pg_try_advisory_lock(2753785935)",
    "prisma": (
        'SELECT "public"."User"."id" FROM "public"."User" WHERE ("public"."User"."email" = $1 AND 1=1) '
        "LIMIT $2 OFFSET $3"
    ),
    "prisma always": (
        'SELECT "public"."User"."id" FROM "public"."User" WHERE ("public"."User"."email" = $1 OR 1=1) OFFSET $2'
    ),
    "prisma never": 'SELECT "public"."User"."id" FROM "public"."User" WHERE 1=0 OFFSET $1',
    "prisma empty or": ("""SELECT "U"."id" FROM "public"."User" U WHERE ("U"."kind" = 'x' AND (1=0 OR "U"."n" = 5))"""),
    "hibernate": (
        "select u1_0.id,u1_0.name from users u1_0 where u1_0.name='bob' and u1_0.active=true fetch first 1 rows only"
    ),
    "hibernate never": "select u1_0.id from users u1_0 where u1_0.name='bob' and (1=0)",
    "hibernate comment": (
        "/* select u from User u where u.name = 'x' or 1 = 1 */ select u1_0.id from users u1_0 where u1_0.n=1"
    ),
    "hibernate sequence": "select nextval('users_seq')",
    "sqlc": "-- name: GetAuthor :one\nSELECT id, name FROM authors\nWHERE id = $1 LIMIT 1",
    "sqlc literal": (
        "-- name: ListOpen :many\nSELECT id FROM tickets\nWHERE state = 'open' -- only those\nORDER BY id"
    ),
    "knex": """select * from "users" where "name" = 'x' and 1 = 0""",
    "knex not in": 'select * from "users" where "id" = 5 and 1 = 1',
    "knex migration": "insert into knex_migrations (batch, migration_time, name) values (1, '2024-01-01', 'a.js')",
    "postgrest": (
        'WITH pgrst_source AS ( SELECT "public"."rooms"."id" FROM "public"."rooms"  WHERE  '
        '"public"."rooms"."id" = $1  LIMIT $2 OFFSET $3  )  SELECT null::bigint AS total_result_set, '
        "pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t), '[]') AS body, "
        "nullif(current_setting('response.headers', true), '') AS response_headers FROM ( SELECT * FROM "
        "pgrst_source ) _postgrest_t"
    ),
    "postgrest claims": (
        "select set_config('search_path', $1, true), set_config('role', 'anon', true), "
        """set_config('request.jwt.claims', '{"role":"anon"}', true)"""
    ),
    "postgrest schema": (
        "WITH pks AS (SELECT conrelid FROM pg_constraint WHERE contype = 'p' UNION SELECT indrelid FROM "
        "pg_index WHERE indisunique) SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = "
        "c.relnamespace WHERE c.relkind = 'r'"
    ),
    "pg_dump": "SELECT pg_catalog.set_config('search_path', '', false);",
    "pg_dump start": "BEGIN; SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "pg_dump acl": (
        "SELECT c.oid, acldefault('r', c.relowner) FROM pg_class c WHERE c.relkind = 'r' UNION ALL "
        "SELECT p.oid, NULL FROM pg_proc p WHERE p.prokind = 'f'"
    ),
    "psql d": (
        """SELECT n.nspname as "Schema", c.relname as "Name", CASE c.relkind WHEN 'r' THEN 'table' WHEN """
        """'v' THEN 'view' END as "Type" FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON """
        "n.oid = c.relnamespace WHERE c.relkind IN ('r','p','') AND n.nspname <> 'pg_catalog' AND "
        "n.nspname !~ '^pg_toast' ORDER BY 1,2;"
    ),
    "psql d table": (
        "SELECT c.oid, n.nspname FROM pg_catalog.pg_class c WHERE c.relname OPERATOR(pg_catalog.~) "
        "'^(rooms)$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 2, 3;"
    ),
    "psql publications": (
        "SELECT pubname, NULL, NULL FROM pg_catalog.pg_publication p JOIN "
        "pg_catalog.pg_publication_namespace pn ON p.oid = pn.pnpubid WHERE pc.oid ='16385' and "
        "pg_catalog.pg_relation_is_publishable('16385')\nUNION\nSELECT pubname FROM "
        "pg_catalog.pg_publication p WHERE p.puballtables AND "
        "pg_catalog.pg_relation_is_publishable('16385') ORDER BY 1;"
    ),
    "psql completion": (
        "SELECT c.relname, NULL::text FROM pg_catalog.pg_class c WHERE c.relkind IN ('r') AND "
        "(c.relname) LIKE 'ro%'\nUNION ALL\nSELECT NULL::text, n.nspname FROM pg_catalog.pg_namespace n "
        "WHERE n.nspname LIKE 'ro%'\nLIMIT 1000"
    ),
    "studio": (
        "select * from public.rooms where id = 5 limit 100;\n-- source: dashboard\n-- user: 1234\n-- date: 2024-05-05"
    ),
    "studio count": (
        "with approximation as (select reltuples as estimate from pg_class where oid = 16401) select "
        "case when estimate > 50000 then (select -1) else (select count(*) from public.rooms) end as "
        "count from approximation;"
    ),
    "studio policies": (
        "select pol.oid, case pol.polcmd when 'r' then 'SELECT' when 'a' then 'INSERT' end from "
        "pg_policy pol union select 1, 'x' from pg_roles where rolname = 'anon'"
    ),
    "pgadmin": (
        "/*pga4dash*/\nSELECT 'session_stats' AS chart_name, pg_catalog.row_to_json(t) AS chart_data FROM "
        """(SELECT (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE state = 'active') AS "Active") """
        "t\nUNION ALL\nSELECT 'tps_stats' AS chart_name, pg_catalog.row_to_json(t) AS chart_data FROM "
        "(SELECT (SELECT sum(xact_commit) FROM pg_stat_database)) t"
    ),
    "pgadmin set": (
        "SET DateStyle=ISO; SET client_min_messages=notice; SELECT "
        "set_config('bytea_output','hex',false) FROM pg_show_all_settings() WHERE name = 'bytea_output'; "
        "SET client_encoding='utf-8';"
    ),
    "grafana": (
        "SELECT $__time FROM m WHERE created_at BETWEEN '2024-01-01T00:00:00Z' AND "
        "'2024-01-02T00:00:00Z' GROUP BY 1 ORDER BY 1"
    ),
    "grafana all": "SELECT count(*) FROM m WHERE (host = 'All' OR 'All' = 'All') AND created_at > '2024-01-01'",
    "grafana panel": "SELECT count(*) FROM m WHERE env = 'prod' AND 'prod' = 'prod'",
    "metabase": (
        "-- Metabase:: userID: 1 queryType: native queryHash: a1\nSELECT * FROM orders WHERE state = "
        "'paid' OR state = 'sent'"
    ),
    "redash": (
        "/* Username: bob, Query ID: 5, it's cached */ SELECT * FROM orders WHERE created_at > '2024-01-01' OR id = 5"
    ),
    "optional filter": "SELECT id FROM t WHERE (name = '' OR '' = '') AND (kind = 'x' OR 'x' = 'all')",
    "optional filter, number": "SELECT id FROM t WHERE (category = 0 OR 0 = 0)",
    "optional filter, equal inputs": "SELECT id FROM t WHERE (name = 'todos' OR 'todos' = 'todos')",
    "optional filter, null": "SELECT id FROM t WHERE (NULL IS NULL OR name = NULL) AND ('x' IS NULL OR kind = 'x')",
    "builder": "select * from t where 1=1 and a = 5 and b = 'x'",
    "builder, true": "select * from t where true and a = 5 or b = 'x'",
    "builder, parens": "select * from t where (1=1) and (a = 5)",
    "jooq": 'select "a"."id" from "a" where ("a"."x" = 5 and true) fetch next 10 rows only',
    "typeorm": (
        """SELECT DISTINCT "d"."id" AS "ids" FROM (SELECT "u"."id" FROM "user" "u" WHERE "u"."n" = 'b') """
        '"d" ORDER BY "ids" ASC LIMIT 1'
    ),
    "sequelize": (
        """SELECT "id" FROM "users" AS "User" WHERE ("User"."name" = 'O''Brien' OR "User"."name" = 'x') """
        "LIMIT 1;"
    ),
    "drizzle": 'select "id" from "users" where ("users"."a" = $1 or "users"."b" = $2)',
    "ecto": """SELECT u0."id" FROM "users" AS u0 WHERE (u0."email" = 'a') AND (TRUE)""",
    "npgsql types": (
        "SELECT version();\n\nSELECT ns.nspname, t.oid FROM pg_type t WHERE t.typname = 'x' OR t.typtype = 'd'"
    ),
    "pgjdbc": (
        "SELECT NULL AS TABLE_CAT, n.nspname FROM pg_catalog.pg_namespace n WHERE true AND c.relname "
        "LIKE 'x' AND (false OR ( c.relkind = 'r' AND n.nspname !~ '^pg_' ) )"
    ),
    "driver's frame": "begin; select pg_sleep(0.3)",
    "driver's settings": "set statement_timeout = 5000; select id from t where a = 'x'",
    "frame with values": "begin; update t set a = 'x' where id = 5; insert into log values (1, 'y'); commit",
    "sleep alone": "select pg_sleep(1)",
    "sleep in a list": "select pg_sleep(0.02), 1::int as simple",
    "sleep as a filter": "select count(*) from nap where pg_sleep(0.05) is not null",
    "sleep beside a table": "select pg_sleep(0.1), count(*) from nap where id = 2",
    "migration": "update users set role = 'member';\nalter table users alter column role set not null;\n-- done",
    "migration on one line": "UPDATE users SET role = 'member'; ALTER TABLE users ALTER COLUMN role SET NOT NULL;",
    "seed": "insert into a values (1, 'x'); insert into a values (2, 'y'); insert into b values (3, 'z')",
    "upsert of old": (
        "update t set n = 5 where id = 1; insert into t select 1, 5 where not exists (select 1 from t where id = 1)"
    ),
    "replace": ("delete from t where day = '2024-01-01'; insert into t select * from staging where day = '2024-01-01'"),
    "lock and change": "select pg_advisory_xact_lock(5); update t set n = 1 where id = 5",
    "text of an attack": "insert into log (text) values ('admin'' or ''1''=''1''; drop table users; --')",
    "dollar text": "select $x$' or 1=1; drop table users --$x$ from t where a = 5",
    "comment at the end": "select id from t where name = 'bob' -- don't forget",
    "comment after a number": "select id from t where n = 5 -- five",
    "query name": "select id from t where n = 5 limit 1 -- name: find_t",
    "tags": "select id from t where name = 'bob' /*traceparent='00-ab-cd-01',route='%2Frooms'*/",
    "tags, no space": "select id from t where name = 'bob'/*route='%2Frooms'*/",
    "arrow": """select doc->>'a' from t where doc->>'kind' = 'x' or doc @> '{"a": 1}'""",
    "between": "select id from t where a between 1 and 5 and b = 1 or c = 2",
    "and one": "select id from t where flags & 1 = 1 and a = 1 or 1 = b",
    "case": "select case when a = 1 then 'x' when 1 = b then 'y' end from t where c = 'z'",
    "lines": "select chr(10) || chr(13), name from t where id = 5",
    "own numbers": (
        "select 'orders' as what, count(*) from orders where state = 'x' union all select 'sessions', "
        "count(*) from pg_stat_activity"
    ),
    "union of constants": "select id from t where k = 'x' union select 5",
    "series": "select g from generate_series(1, 5000000) g where g = 5 and (select count(*) from t) = 7",
    "or true, grouped": "select id from t where (a = 'x' or true) and b = 'y'",
    "optional filter, flag": "select id from t where (state = 'open' or 'Y' = 'Y') and kind = 3",
    "optional filter, switch": "select id from t where (kind = 5 or 1 = 1) and state = 'open'",
    "builder, group": "select id from t where kind in (1, 2) or (1=1 and state = 'open')",
    "builder, nested": "select id from t where (kind = 'a' or kind = 'b' or (1 = 1 and state = 'c'))",
    "empty remark": "select id from t order by id limit 10 --",
    "batch with a remark": "delete from t where id = 5; insert into t values (5); -- replace",
    "batch with a remark, constants": "insert into t values (5, 'a'); insert into t values (6, 'b') --done",
    "two lookups": "select a from t where a = 'x'; select b from u where b = 'y'",
    "catalogue and catalogue": "select oid from pg_class where relname = 'x'; select oid from pg_type where oid = 5",
    "remark with quotes": "select id from t where state = 'open' and n > m -- 'open' ones",
    "drop after read": "select set_config('a', 'x', false); drop table if exists tmp",
}

LOOKUP = "SELECT id, name FROM products WHERE name = '{}' AND active LIMIT 10"
BY_NUMBER = "SELECT id, name FROM products WHERE id = {} ORDER BY name"
LOGIN = "SELECT * FROM users WHERE (username = '{}' AND password = 'x')"
INSERTED = "INSERT INTO comments (room, text) VALUES (5, '{}')"

ATTACKS = [
    (LOOKUP, "' or 1=1 --", Attack.TAUTOLOGY),
    (LOOKUP, "' or '1'='1", Attack.TAUTOLOGY),
    (LOOKUP, "x' OR 'x'='x", Attack.TAUTOLOGY),
    (LOOKUP, "' or ''='", Attack.TAUTOLOGY),
    (LOOKUP, "' or 'a' = 'a' --", Attack.TAUTOLOGY),
    (LOOKUP, "x' or/**/1=1--", Attack.TAUTOLOGY),
    (LOOKUP, "x'/**/OR/**/'a'/**/LIKE/**/'a", Attack.TAUTOLOGY),
    (LOOKUP, "x' or 2>1 --", Attack.TAUTOLOGY),
    (LOOKUP, "x' or true --", Attack.TAUTOLOGY),
    (LOOKUP, "x' AND 5423=5423 AND 'abcd'='abcd", Attack.TAUTOLOGY),
    (LOOKUP, "x' AND 'qwer'='qwer", Attack.TAUTOLOGY),
    (LOOKUP, "x%' AND 7182=7182 AND 'a%'='a", Attack.TAUTOLOGY),
    (LOGIN, "admin' or '1'='1", Attack.TAUTOLOGY),
    (LOGIN, "admin') or ('1'='1", Attack.TAUTOLOGY),
    (LOGIN, "admin') or 1=1 --", Attack.TAUTOLOGY),
    (LOGIN, "') or ('x')=('x", Attack.TAUTOLOGY),
    (BY_NUMBER, "1 or 1=1", Attack.TAUTOLOGY),
    (BY_NUMBER, "1 OR 1 = 1", Attack.TAUTOLOGY),
    (BY_NUMBER, "-1 or (1=1)", Attack.TAUTOLOGY),
    (BY_NUMBER, "1 AND 3217=3217", Attack.TAUTOLOGY),
    (BY_NUMBER, "1) AND 9021=9021 AND (4411=4411", Attack.TAUTOLOGY),
    (BY_NUMBER, "(SELECT (CASE WHEN (2891=2891) THEN 1 ELSE 1/(SELECT 0) END))", Attack.TAUTOLOGY),
    (LOOKUP, "x'; drop table products; --", Attack.STACKED),
    (LOOKUP, "x'; DELETE FROM products --", Attack.STACKED),
    (LOOKUP, "x'; update users set admin = true where name = 'me' --", Attack.STACKED),
    (LOOKUP, "x'; create role me superuser login password 'me' --", Attack.STACKED),
    (LOOKUP, "x'; copy (select '') to program 'id' --", Attack.STACKED),
    (INSERTED, "x'); drop table comments; --", Attack.STACKED),
    (BY_NUMBER.removesuffix(" ORDER BY name"), "1; drop table products", Attack.STACKED),
    (BY_NUMBER.removesuffix(" ORDER BY name"), "1; truncate products cascade", Attack.STACKED),
    (BY_NUMBER.removesuffix(" ORDER BY name"), "1; delete from products", Attack.STACKED),
    (BY_NUMBER, "1; DROP TABLE products --", Attack.STACKED),
    (BY_NUMBER, "1; drop table products -- -", Attack.STACKED),
    ("SELECT id FROM products ORDER BY {} LIMIT 5", "1; drop table products --", Attack.STACKED),
    (LOOKUP, "x'; select usename, passwd from pg_shadow; --", Attack.STACKED),
    (BY_NUMBER.removesuffix(" ORDER BY name"), "1; select * from pg_authid", Attack.STACKED),
    (LOOKUP, "x' and 1=cast((select version()) as int) --", Attack.TRUNCATION),
    (LOOKUP, "x' or name is not null --", Attack.TRUNCATION),
    (LOOKUP, "x' union select 1, usename || passwd from pg_shadow --", Attack.UNION),
    (LOOKUP, "x' UNION ALL SELECT NULL,table_name FROM information_schema.tables-- AbCd", Attack.UNION),
    (LOOKUP, "x'/**/UNION/**/SELECT/**/1,relname/**/FROM/**/pg_catalog.pg_class--", Attack.UNION),
    (LOOKUP, "x' union select null, version() --", Attack.UNION),
    (LOOKUP, "x' UNION ALL SELECT NULL,NULL,NULL-- -", Attack.UNION),
    (LOGIN, "x') union select rolname, rolpassword from pg_authid --", Attack.UNION),
    (BY_NUMBER, "-1 union select 1, datname from pg_database", Attack.UNION),
    (BY_NUMBER, "-1 UNION ALL SELECT NULL,current_user --", Attack.UNION),
    (BY_NUMBER, "1 UNION ALL SELECT NULL,(CHR(113)||CHR(120)||CHR(107)||CHR(113))||'x'-- qWeR", Attack.UNION),
    (LOGIN.replace("(", "").replace(")", ""), "admin'--", Attack.TRUNCATION),
    (LOGIN.replace("(", "").replace(")", ""), "admin' --", Attack.TRUNCATION),
    (LOGIN.replace("(", "").replace(")", ""), "admin' -- -", Attack.TRUNCATION),
    (LOGIN, "admin')--", Attack.TRUNCATION),
    (LOGIN.replace("(", "").replace(")", ""), "admin'/*", Attack.TRUNCATION),
    (BY_NUMBER, "1--", Attack.TRUNCATION),
    (LOOKUP, "x'; select pg_sleep(5) --", Attack.DELAY),
    (LOOKUP, "x'||pg_sleep(5)--", Attack.DELAY),
    (LOOKUP, "x' AND 5522=(SELECT 5522 FROM PG_SLEEP(5)) AND 'a'='a", Attack.DELAY),
    (LOOKUP, "x' or pg_sleep(10) is null --", Attack.DELAY),
    (LOOKUP, "x' AND 1=(SELECT COUNT(*) FROM GENERATE_SERIES(1,5000000)) --", Attack.DELAY),
    (BY_NUMBER, "1 AND 7712=(SELECT 7712 FROM PG_SLEEP(5))", Attack.DELAY),
    (BY_NUMBER, "1;SELECT PG_SLEEP(5)--", Attack.DELAY),
    (BY_NUMBER, "1 and (case when (1=1) then (select 1 from pg_sleep(5)) else 1 end) = 1", Attack.DELAY),
    (INSERTED, "x' || (select pg_sleep(5)) || '", Attack.DELAY),
    (
        BY_NUMBER,
        "1 AND 6812=CAST((CHR(113)||CHR(98)||CHR(98)||CHR(122)||CHR(113))||(SELECT 1)::text||(CHR(113)) AS NUMERIC)",
        Attack.EXTRACTION,
    ),
    (BY_NUMBER, "1 AND ASCII(SUBSTRING((SELECT current_database())::text FROM 1 FOR 1))>64", Attack.EXTRACTION),
    (LOOKUP, "x' and 1=length(pg_read_file('/etc/passwd')) --", Attack.EXTRACTION),
]


@pytest.mark.parametrize("sql", BENIGN.values(), ids=BENIGN.keys())
def test_what_programs_write_is_no_attack(sql: str) -> None:
    assert attack(sql) is None
    assert attack(sql + ";") is None


@pytest.mark.parametrize("sql", BENIGN.values(), ids=BENIGN.keys())
def test_nor_is_it_when_its_text_was_cut(sql: str) -> None:
    """Anywhere: track_activity_query_size cuts between any two bytes."""
    assert [attack(sql[:at], cut=True) for at in range(len(sql)) if attack(sql[:at], cut=True)] == []


@pytest.mark.parametrize(("around", "given", "shape"), ATTACKS, ids=[each[1] for each in ATTACKS])
def test_an_input_that_became_sql_is_an_attack(around: str, given: str, shape: Attack) -> None:
    assert attack(around.format(given)) is shape


@pytest.mark.parametrize(("around", "given"), [each[:2] for each in ATTACKS], ids=[each[1] for each in ATTACKS])
def test_the_same_input_as_a_value_is_none(around: str, given: str) -> None:
    """Quoted as it ought to be, or bound."""
    quoted = given.replace("'", "''")
    assert attack(around.replace("'{}'", "{}").format(f"'{quoted}'")) is None
    assert attack(around.replace("'{}'", "{}").format("$1")) is None


def test_there_are_enough_of_both() -> None:
    assert len(BENIGN) >= 60
    assert len(ATTACKS) >= 40


@pytest.mark.parametrize(
    "sql", ["", " ", "'", "--", "/*", "$$", "; ;", "or 1=1", "\x00", "'" * 9, "\udc80 or 1=1", "((((" * 500]
)
def test_any_text_has_an_answer(sql: str) -> None:
    attack(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 from t where a = 5 and " + "(" * 4000 + "1",
        "select 1 from t where a = 1 or " + "1 or " * 1600,
        "select " + "chr(1)||" * 900 + "'' from t where a = pg_sleep(1)",
        "select 1 from t where " + "a = 'x' and " * 600 + "pg_sleep(1) is null",
        "select 1 union " * 500 + "select 1 --",
        "select 1; " * 800,
    ],
    ids=["parens", "or", "chr", "sleep", "union", "stacked"],
)
def test_a_text_made_to_take_long_does_not(sql: str) -> None:
    """Eight thousand characters of whatever somebody sends us cost milliseconds."""
    began = time.process_time()
    attack(sql)
    assert time.process_time() - began < 0.5

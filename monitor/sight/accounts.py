"""Sight of auth.users and auth.identities: accounts counted by state and fault, a slice of users at a time.

Only numbers leave the server: a slice ends at the first digits in which two ids differ (of ids that are random, some
seven of 32), and a role that stands in a user's row goes by its md5.
"""

from monitor.sight.words import Function, Group

AGES = (1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90, 180, 365)
"""Days at which a new class of ages begins; thresholds are among them."""

USERS = (
    "id", "instance_id", "role", "is_super_admin", "created_at", "confirmed_at", "invited_at", "deleted_at",
    "banned_until", "last_sign_in_at", "is_anonymous", "is_sso_user",
)  # fmt: skip

# GoTrue reads them as strings: a user with a NULL in one cannot be read at all (supabase/auth #1940).
TOKENS = (
    "confirmation_token", "recovery_token", "email_change", "email_change_token_new", "email_change_token_current",
    "phone_change", "phone_change_token", "reauthentication_token",
)  # fmt: skip

SECRETS = ("email", *TOKENS)
"""What a function looks into: no role of ours is granted all of them."""

IDENTITIES = ("user_id",)
SECRET_IDENTITIES = ("provider", "email")

# $1 after which id, $2 up to which (their first digits, to be filled with f; '' for the table's begin and end), $3 how
# many users (500 to 20,000: fewer would cost as much), $4 grace in seconds. Every name that this level of GoTrue may
# lack stands in `absent` too: a name is looked for outside only where the innermost table lacks it.
_PAGE = """
    with page as materialized (
             select each.*, pg_catalog.row_number() over (order by each.id) as place
               from (select null::timestamptz as deleted_at, null::timestamptz as banned_until,
                            null::timestamptz as invited_at, null::timestamptz as last_sign_in_at,
                            null::boolean as is_super_admin, null::text as role,
                            false as is_anonymous, false as is_sso_user, null::uuid as instance_id,
                            null::text as email, '' as email_change) absent
              cross join lateral (select id, created_at, confirmed_at, deleted_at, banned_until, invited_at,
                                         last_sign_in_at, is_super_admin, role::text as role, is_anonymous,
                                         is_sso_user, instance_id, %5$s, %2$s as untold
                                    from %1$I.users
                                   where id >= pg_catalog.rpad($1::text, 32, case $1 when '' then '0'
                                                                                       else 'f' end)::uuid
                                     and ($1 = '' or id <> pg_catalog.rpad($1::text, 32, 'f')::uuid)
                                     and id <= pg_catalog.rpad($2::text, 32, 'f')::uuid
                                   order by id
                                   limit least(greatest($3::integer, 500), 20000) + 1) each
         ),
         account as materialized (
             select page.*, held.identities, held.differs, twins.accounts, twins.counted,
                    case when deleted_at is not null then 'deleted'
                         when banned_until > pg_catalog.now() then 'banned'
                         when is_anonymous then 'anonymous'
                         when confirmed_at is not null then 'confirmed'
                         when invited_at is not null then 'invited'
                         else 'unconfirmed' end as state,
                    pg_catalog.now() - created_at as age,
                    confirmed_at is null as open,
                    deleted_at is null and is_anonymous is not true as live,
                    deleted_at is null and is_anonymous is not true and is_sso_user is not true
                    and invited_at is null as signed
               from page
               left join lateral (%3$s) held on true
               left join lateral (%4$s) twins on true
              where place <= least(greatest($3::integer, 500), 20000)
         ),
"""

_COUNTS = f"""
         sums as (
             select pg_catalog.count(*) filter (where state = 'unconfirmed') as unconfirmed,
                    pg_catalog.count(*) filter (where state = 'invited') as invited,
                    pg_catalog.count(*) filter (where state = 'anonymous') as anonymous,
                    pg_catalog.count(*) filter (where state = 'banned') as banned,
                    pg_catalog.count(*) filter (where state = 'deleted') as deleted,
                    pg_catalog.count(*) filter (where signed and age >= '1 day' and age < '8 days') as recent,
                    pg_catalog.count(*) filter (where signed and open and age >= '1 day' and age < '8 days')
                        as recent_open,
                    pg_catalog.count(*) filter (where signed and age >= '8 days' and age < '36 days') as earlier,
                    pg_catalog.count(*) filter (where signed and open and age >= '8 days' and age < '36 days')
                        as earlier_open,
                    pg_catalog.count(*) filter (where accounts is null) as cases_unread,
                    pg_catalog.count(*) filter (where accounts > 1 and not counted) as cases,
                    pg_catalog.sum(accounts) filter (where accounts > 1 and not counted) as case_accounts,
                    pg_catalog.count(*) filter (where identities is null) as identities_unread,
                    pg_catalog.sum(identities) as identities,
                    pg_catalog.count(*) filter (
                        where live
                          and identities = 0
                          and last_sign_in_at is not null
                          and (age > pg_catalog.make_interval(secs => $4::float8)) is not false) as without_identity,
                    pg_catalog.count(*) filter (
                        where live
                          and identities = 0
                          and last_sign_in_at is null
                          and (age > pg_catalog.make_interval(secs => $4::float8)) is not false) as unused_without,
                    pg_catalog.count(*) filter (where differs is null) as emails_unread,
                    pg_catalog.count(*) filter (where live and differs and coalesce(email_change, '') = '')
                        as other_email,
                    pg_catalog.count(*) filter (where untold is null) as tokens_unread,
                    pg_catalog.count(*) filter (where untold) as null_tokens,
                    pg_catalog.count(*) filter (where deleted_at is null and is_super_admin) as super_admins
               from account
         ),
         aged as (
             select 'unconfirmed' as what, age from account where signed and open
             union all
             select 'invited', pg_catalog.now() - invited_at
               from account
              where open and invited_at is not null and live
             union all
             select 'anonymous', age from account where is_anonymous and deleted_at is null
         ),
         named as (
             select each.key as name, each.value::text::int8 as number
               from sums
              cross join lateral pg_catalog.jsonb_each(pg_catalog.to_jsonb(sums)) each
              where each.value <> 'null'
             union all
             select what || ':' || pg_catalog.width_bucket(days, '{{{",".join(str(age) for age in AGES)}}}'::float8[]),
                    pg_catalog.count(*)
               from aged
              cross join lateral (select (pg_catalog.date_part('epoch', age) / 86400) as days) as spent
              where days >= 1
              group by 1
             union all
             (select 'role:' || pg_catalog.md5(role), pg_catalog.count(*)
                from account
               where deleted_at is null
                 and role not in ('', 'authenticated', 'anon')
               group by 1
               order by 2 desc
               limit 100)
         ),
         bound as (
             select pg_catalog.replace(low.id::text, '-', '') as low, pg_catalog.replace(high.id::text, '-', '') as high
               from page low
               join page high on high.place = low.place + 1
              where low.place = least(greatest($3::integer, 500), 20000)
         )
    select coalesce((select pg_catalog.left(low, unlike.digit)
                       from bound
                      cross join lateral (select pg_catalog.min(digit) as digit
                                            from pg_catalog.generate_series(1, 32) as digit
                                           where pg_catalog.substr(low, digit, 1) <> pg_catalog.substr(high, digit, 1)
                                         ) unlike), $2::text) as upto,
           (select pg_catalog.count(*) from account) as users,
           array(select name from named where number <> 0 order by name) as names,
           array(select number from named where number <> 0 order by name) as numbers
"""

_HELD = """
    select pg_catalog.count(*) as identities, %2$s as differs from %1$I.identities i where i.user_id = page.id
"""

_DIFFERS = "coalesce(pg_catalog.bool_or(i.provider = 'email' and i.email <> pg_catalog.lower(page.email)), false)"

# GoTrue's own way to find a user by e-mail: its index on (instance_id, lower(email)). Some rows have no instance.
_TWINS = """
    select pg_catalog.count(*) as accounts,
           coalesce(pg_catalog.bool_or(t.id < page.id and t.email <> pg_catalog.lower(t.email)), false) as counted
      from (select id, email::text as email, deleted_at as gone, is_sso_user as sso
              from %1$I.users
             where users.instance_id = coalesce(page.instance_id, pg_catalog.rpad('', 32, '0')::uuid)
               and pg_catalog.lower(users.email::text) = pg_catalog.lower(page.email)
             union all
            select id, email::text, deleted_at, is_sso_user
              from %1$I.users
             where users.instance_id is null
               and pg_catalog.lower(users.email::text) = pg_catalog.lower(page.email)) t
     where page.email <> pg_catalog.lower(page.email)
       and page.deleted_at is null
       and page.is_sso_user is not true
       and t.gone is null
       and t.sso is not true
"""

# $1 schema, $2 whether to look into columns that hold secrets, $3 whether to look at the identities. Identities and
# e-mails are looked up one by one: they need their index.
_WRITE = rf"""
    with place as materialized (
             select c.oid, c.relname
               from pg_catalog.pg_class c
               join pg_catalog.pg_namespace n on n.oid = c.relnamespace
              where n.nspname = $1::text and c.relname in ('users', 'identities') and c.relkind in ('r', 'p')
         ),
         known as materialized (
             select place.relname, a.attname, a.attnum
               from place
               join pg_catalog.pg_attribute a on a.attrelid = place.oid and a.attnum > 0 and not a.attisdropped
         ),
         indexed as materialized (
             select place.relname, i.indkey[0] as first, pg_catalog.pg_get_indexdef(i.indexrelid) as definition
               from place
               join pg_catalog.pg_index i on i.indrelid = place.oid and i.indisvalid and i.indpred is null
         ),
         pieces as (
             select (select 'pg_catalog.num_nulls('
                            || pg_catalog.string_agg(pg_catalog.quote_ident(attname), ', ' order by attnum) || ') > 0'
                       from known
                      where relname = 'users'
                        and attname in ('{"', '".join(TOKENS)}')
                        and $2::boolean) as untold,
                    (select pg_catalog.format($held${_HELD}$held$, $1::text,
                                              case when (select pg_catalog.count(*)
                                                           from known
                                                          where relname = 'identities'
                                                            and attname in ('provider', 'email')
                                                            and $2::boolean) = 2
                                                   then $held${_DIFFERS}$held$ else 'null::boolean' end)
                       from known
                       join indexed using (relname)
                      where relname = 'identities' and attname = 'user_id' and attnum = first and $3::boolean
                      limit 1) as held,
                    (select pg_catalog.format($twins${_TWINS}$twins$, $1::text)
                       from indexed
                      where relname = 'users'
                        and $2::boolean
                        and definition like '%(instance\_id, lower((email)::text)%'
                      limit 1) as twins
         )
    select pg_catalog.format($look${_PAGE}{_COUNTS}$look$, $1::text, coalesce(untold, 'null::boolean'),
                             coalesce(held, 'select null::int8 as identities, null::boolean as differs'),
                             coalesce(twins, 'select null::int8 as accounts, null::boolean as counted'),
                             case when $2::boolean then 'email::text as email, email_change::text as email_change'
                                  else 'null::text as email, null::text as email_change' end) as statement
      from pieces
     where exists (select from known where relname = 'users')
"""

FEWEST = 100
"""Users that a lent look counts at least: states of fewer would be somebody's."""

COUNT = Function(
    name="auth_accounts",
    arguments=(
        "in_auth text, in_secrets boolean, in_identities boolean, in_after text, in_until text, in_rows integer, "
        "in_grace double precision"
    ),
    columns="upto text, users bigint, names text[], numbers bigint[]",
    write=_WRITE,
    using=f"in_after, in_until, greatest(in_rows, {FEWEST}), in_grace",
)

ACCOUNTS = Group(functions=(COUNT,), columns={"users": USERS, "identities": IDENTITIES})

"""What lies in GoTrue's tables of sessions, tokens and factors: the SQL that counts it slice by slice, and lends it.

What comes back is where a slice ended, and numbers; never a row, nor an id of anybody. Nothing secret is read: that a
session makes its own refresh tokens is told by its counter, which stands beside the key that we must not see.
"""

from monitor.sight.words import UUID, Function, Group

STALE_HOURS = (24, 48, 72, 168, 336, 720)
"""Ages from which on what is left over is counted; thresholds are among them."""

_STALE = tuple(f"stale:{hours}" for hours in STALE_HOURS)

PARTS = {
    "users": ("banned", "deleted"),
    "sessions": ("open", "expired", "recent", "bare", "lost"),
    "refresh_tokens": (
        "live", "revoked", "recent", "orphans", "malformed", "mismatches", "mismatches_live", "crowded", "overdue",
        *_STALE,
    ),
    "mfa_factors": ("orphans", *_STALE),
    "one_time_tokens": ("orphans", *_STALE),
    "flow_state": ("orphans", *_STALE),
    "mfa_challenges": ("orphans", *_STALE),
}  # fmt: skip
"""The tables that are gone through, and what is counted in each."""

NEEDED = {
    "users": ("ctid", "id", "banned_until", "deleted_at"),
    "sessions": (
        "ctid", "id", "user_id", "updated_at", "refreshed_at", "not_after", "aal", "factor_id", "refresh_token_counter",
    ),
    "refresh_tokens": ("id", "user_id", "session_id", "revoked", "created_at", "updated_at"),
    "mfa_factors": ("ctid", "id", "user_id", "status", "created_at"),
    "webauthn_credentials": ("id", "user_id"),
    "one_time_tokens": ("ctid", "created_at"),
    "flow_state": ("ctid", "user_id", "created_at"),
    "mfa_challenges": ("ctid", "created_at"),
}  # fmt: skip
"""Also the place of a row must be granted, where columns are."""

BLOCK, TOKEN = 20, 2
"""What a block weighs, and a refresh token, whose session and user are looked up; a slice may hold so much."""

# $1 where the slice before ended, $2 where this one must, $3 how much it may hold. %1$I is the schema; the other places
# hold what some levels of GoTrue lack. Most tables are read in the order of their blocks, as quick as a scan of the
# whole; what must be known of few rows is looked up by key, row by row (LIMIT and the scalar selects keep it so).

_BLOCKS = f"""
              where {{of}}.ctid >= ('(' || (coalesce($1::text::int8, -1) + 1)::text || ',0)')::tid
                and {{of}}.ctid < ('(' || (least(coalesce($1::text::int8, -1) + $3::int4 / {BLOCK}, $2::text::int8)
                                           + 1)::text || ',0)')::tid
"""

# Blocks looked at, and the last of them; none where the slice came to the table's end.
_END = f"""
    select case when $2::text is null and $1::text is null and end_of.size <= $3::int4 / {BLOCK}
                  or $2::text is null and $1::text::int8 + $3::int4 / {BLOCK} >= end_of.size - 1 then null
                else least(coalesce($1::text::int8, -1) + $3::int4 / {BLOCK}, $2::text::int8)::text end as upto,
           greatest(least(coalesce($1::text::int8, -1) + $3::int4 / {BLOCK}, $2::text::int8, end_of.size - 1)
                    - coalesce($1::text::int8, -1), 0) * {BLOCK} as held,
           seen.counts
      from (select pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int8 as size
              from pg_catalog.pg_class c
              join pg_catalog.pg_namespace n on n.oid = c.relnamespace
             where n.nspname = %14$L and c.relname = %13$L) end_of
     cross join seen
"""

_USERS = f"""
    with slice as materialized (
             select u.id, %7$s as banned, %8$s as deleted
               from %1$I.users u
              {_BLOCKS.format(of="u")}
                and (%7$s or %8$s)
         ),
         looked as materialized (
             select slice.banned, slice.deleted, live.sessions
               from slice
              cross join lateral (select pg_catalog.count(*) as sessions
                                    from %1$I.sessions s
                                   where s.user_id = slice.id
                                     and coalesce(%2$s > pg_catalog.now(), true)
                                     and (%6$s or (select true
                                                     from %1$I.refresh_tokens r
                                                    where r.session_id = s.id
                                                      and r.revoked is false
                                                    limit 1))) live
         ),
         seen as (
             select array[coalesce(pg_catalog.sum(sessions) filter (where banned), 0),
                          coalesce(pg_catalog.sum(sessions) filter (where deleted), 0)]::int8[] as counts
               from looked
         )
{_END}"""

_SESSIONS = f"""
    with looked as materialized (
             select coalesce(%2$s > pg_catalog.now(), true) as open,
                    greatest(s.updated_at, %3$s) > pg_catalog.now() - interval '24 hours' as recent,
                    coalesce(%4$s = 'aal2', false) and (%9$s) is null as bare,
                    %5$s is not null and (%10$s) is null as lost
               from %1$I.sessions s
              {_BLOCKS.format(of="s")}
         ),
         seen as (
             select array[pg_catalog.count(*) filter (where open),
                          pg_catalog.count(*) filter (where not open),
                          pg_catalog.count(*) filter (where recent),
                          pg_catalog.count(*) filter (where open and bare),
                          pg_catalog.count(*) filter (where open and lost)] as counts
               from looked
         )
{_END}"""

# How long a token, or a row of a pile, has been what should be cleared: once a row, for it is asked of each age. As
# numbers, for an infinite time cannot be subtracted.
_HOURS = "(pg_catalog.date_part('epoch', pg_catalog.now()) - pg_catalog.date_part('epoch', {since})) / 3600 as hours"
_OLDER = ",\n".join(f"pg_catalog.count(*) filter (where hours > {hours})" for hours in STALE_HOURS)

# one_time_tokens.created_at is without time zone, and UTC.
_PILE = f"""
    with looked as materialized (
             select {_HOURS.format(since="(%11$s)")}, %12$s as lone
               from %1$I.%13$I p
              {_BLOCKS.format(of="p")}
         ),
         seen as (
             select array[pg_catalog.count(*) filter (where lone), {_OLDER}] as counts
               from looked
         )
{_END}"""

# In the order of ids, so that the newest are the last slice. A token's user is a text: it is compared with its
# session's user first, and only what differs is read as a uuid. A session with many live ones is counted at its second.
_TOKENS = rf"""
    with slice as materialized (
             select r.id, r.user_id, r.session_id, r.revoked, r.updated_at,
                    coalesce(r.created_at < pg_catalog.now() - interval '1 minute', true) as settled
               from %1$I.refresh_tokens r
              where r.id >= coalesce($1::text::int8, -9223372036854775808)
                and r.id is distinct from $1::text::int8
                and r.id <= coalesce($2::text::int8, 9223372036854775807)
              order by r.id
              limit $3::int4 / {TOKEN}
         ),
         owned as materialized (
             select slice.*, session.owner, session.ended
               from slice
               left join lateral (%15$s) session on true
         ),
         spelled as materialized (
             select owned.*,
                    case when owned.user_id = owned.owner::text then owned.owner
                         when owned.user_id ~ '{UUID}' then owned.user_id::uuid end as key
               from owned
         ),
         looked as materialized (
             select t.*, {_HOURS.format(since="case when t.revoked then t.updated_at end")},
                    t.user_id is not null and somebody.known is null as lone,
                    t.revoked is false and t.settled
                    and (select pg_catalog.count(*)
                           from (select
                                   from %1$I.refresh_tokens o
                                  where o.session_id = t.session_id
                                    and o.revoked is false
                                    and o.id < t.id
                                    and coalesce(o.created_at < pg_catalog.now() - interval '1 minute', true)
                                  limit 2) others) = 1 as second
               from spelled t
               left join lateral (select true as known from %1$I.users u where u.id = t.key limit 1) somebody on true
         )
    select (select slice.id from slice order by slice.id offset $3::int4 / {TOKEN} - 1 limit 1)::text as upto,
           pg_catalog.count(*) * {TOKEN} as held,
           array[pg_catalog.count(*) filter (where revoked is false),
                 pg_catalog.count(*) filter (where revoked is true),
                 pg_catalog.count(*) filter (where updated_at > pg_catalog.now() - interval '24 hours'),
                 pg_catalog.count(*) filter (where lone),
                 pg_catalog.count(*) filter (where lone and key is null),
                 pg_catalog.count(*) filter (where key <> owner),
                 pg_catalog.count(*) filter (where key <> owner and revoked is false),
                 pg_catalog.count(*) filter (where second),
                 pg_catalog.count(*) filter (where ended and revoked is false),
                 {_OLDER}] as counts
      from looked
"""

# The server writes the statements, so that it alone quotes names, and leaves out what this level of GoTrue lacks or
# whoever reads may not read. $1 schema, $2 part.
_WRITE = f"""
    with has as materialized (
             select coalesce(pg_catalog.array_agg(c.relname || '.' || a.attname), '{{}}') as names
               from pg_catalog.pg_class c
               join pg_catalog.pg_namespace n on n.oid = c.relnamespace
               join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
              where n.nspname = $1::text
                and c.relname in ('users', 'sessions', 'mfa_factors', 'webauthn_credentials')
                and pg_catalog.has_column_privilege(c.oid, a.attnum, 'select')
         )
    select pg_catalog.format(
               case $2::text when 'users' then $part${_USERS}$part$
                             when 'sessions' then $part${_SESSIONS}$part$
                             when 'refresh_tokens' then $part${_TOKENS}$part$
                             when 'mfa_factors' then $part${_PILE}$part$
                             when 'one_time_tokens' then $part${_PILE}$part$
                             when 'flow_state' then $part${_PILE}$part$
                             when 'mfa_challenges' then $part${_PILE}$part$ end,
               $1::text,
               case when 'sessions.not_after' = any (names) then 's.not_after' else 'null::timestamptz' end,
               case when 'sessions.refreshed_at' = any (names) then $x$s.refreshed_at at time zone 'UTC'$x$
                    else 'null::timestamptz' end,
               case when 'sessions.aal' = any (names) then 's.aal::text' else 'null::text' end,
               case when 'sessions.factor_id' = any (names) then 's.factor_id' else 'null::uuid' end,
               pg_catalog.concat_ws(
                   ' or ', 'false',
                   case when 'sessions.refresh_token_counter' = any (names)
                        then 's.refresh_token_counter is not null' end,
                   case when 'sessions.refresh_token_hmac_key' = any (names)
                        then 's.refresh_token_hmac_key is not null' end),
               case when 'users.banned_until' = any (names)
                    then 'coalesce(u.banned_until > pg_catalog.now(), false)' else 'false' end,
               case when 'users.deleted_at' = any (names) then 'u.deleted_at is not null' else 'false' end,
               case when not 'mfa_factors.status' = any (names) then 'select true'
                    else pg_catalog.format($x$select true from %1$I.mfa_factors f where f.user_id = s.user_id
                                                          and f.status::text = 'verified'$x$, $1::text)
                         || case when 'webauthn_credentials.user_id' = any (names)
                                 then pg_catalog.format($x$ union all select true from %1$I.webauthn_credentials c
                                                            where c.user_id = s.user_id$x$, $1::text) else '' end
                         || ' limit 1' end,
               case when not 'mfa_factors.id' = any (names) then 'select true'
                    else pg_catalog.format('select true from %1$I.mfa_factors f where f.id = s.factor_id', $1::text)
                         || case when 'webauthn_credentials.id' = any (names)
                                 then pg_catalog.format($x$ union all select true from %1$I.webauthn_credentials c
                                                            where c.id = s.factor_id$x$, $1::text) else '' end
                         || ' limit 1' end,
               case $2::text when 'mfa_factors' then $x$case p.status::text when 'unverified' then p.created_at end$x$
                             when 'one_time_tokens' then $x$p.created_at at time zone 'UTC'$x$
                             else 'p.created_at' end,
               case $2::text when 'flow_state' then pg_catalog.format(
                                  $x$p.user_id is not null
                                     and (select true from %1$I.users u where u.id = p.user_id) is null$x$, $1::text)
                             else 'false' end,
               $2::text,
               $1::text,
               case when not 'sessions.id' = any (names) then 'select null::uuid as owner, null::boolean as ended'
                    else pg_catalog.format($x$select s.user_id as owner,
                                                     %2$s < pg_catalog.now() - interval '24 hours' as ended
                                                from %1$I.sessions s
                                               where s.id = slice.session_id
                                               limit 1$x$, $1::text,
                                           case when 'sessions.not_after' = any (names) then 's.not_after'
                                                else 'null::timestamptz' end) end
           ) as statement
      from has
"""

SLICE = Function(
    name="auth_sessions",
    arguments="in_auth text, in_part text, in_after text, in_until text, in_rows integer",
    columns="upto text, held bigint, counts bigint[]",
    write=_WRITE,
    using="in_after, in_until, in_rows",
)

SESSIONS = Group(functions=(SLICE,), columns=NEEDED)

-- Users of every kind, in GoTrue's own tables: each fault so often as auth_faults.py says, beside each what looks like it.
-- A superuser runs it on an empty schema auth. Keys begin with decafbad where nobody has them; secrets say "canary".

create function pg_temp.nobody() returns uuid language sql volatile
    as $$ select ('decafbad' || substr(md5(random()::text), 9))::uuid $$;
create function pg_temp.ago(text) returns timestamptz language sql stable as $$ select now() - $1::interval $$;

create temporary table person on commit drop as
select gen_random_uuid() as id, kind, nr, email, now() - make_interval(days => age, hours => 1) as born, role
  from (values
        -- healthy, and with all that a person may have
        ('person', 200, null, null, 'authenticated'), ('phone', 4, 10, null, 'authenticated'),
        ('lost', 7, 10, null, 'authenticated'),
        -- in flight
        ('new', 2, 0, null, 'authenticated'), ('just_confirmed', 1, 10, null, 'authenticated'),
        -- 008, 009, 010
        ('unconfirmed', 4, 8, null, 'authenticated'), ('unconfirmed_young', 2, 6, null, 'authenticated'),
        ('unconfirmed_sso', 1, 8, null, 'authenticated'), ('unconfirmed_deleted', 1, 20, null, 'authenticated'),
        ('invited', 3, 15, null, 'authenticated'), ('invited_young', 2, 13, null, 'authenticated'),
        ('invited_again', 1, 30, null, 'authenticated'), ('invited_accepted', 2, 20, null, 'authenticated'),
        ('anonymous', 5, 40, null, 'authenticated'), ('anonymous_young', 3, 29, null, 'authenticated'),
        ('once_anonymous', 2, 40, null, 'authenticated'),
        -- 005, 006, 007
        ('banned', 3, 20, null, 'authenticated'), ('banned_forever', 1, 20, null, 'authenticated'),
        ('once_banned', 2, 20, null, 'authenticated'), ('deleted', 3, 90, null, 'authenticated'),
        -- 012: two pairs; one live with one deleted; of single sign-on, one the same and one by case
        ('twin', 4, 12, null, 'authenticated'), ('deleted_twin', 1, 90, null, 'authenticated'),
        ('sso', 3, 12, null, 'authenticated'),
        -- 013
        ('bare', 3, 12, null, 'authenticated'), ('admin_made', 2, 12, null, 'authenticated'),
        ('mismatch', 2, 12, null, 'authenticated'), ('casing', 3, 12, null, 'authenticated'),
        ('changing', 2, 12, null, 'authenticated'), ('social', 3, 12, null, 'authenticated'),
        -- 020, 021
        ('halfnull', 9, 12, null, 'authenticated'), ('super', 1, 12, null, 'authenticated'),
        ('service', 1, 12, null, 'service_role'), ('owner', 1, 12, null, 'postgres'),
        ('role_anon', 1, 12, null, 'anon'), ('role_blank', 1, 12, null, ''), ('role_null', 1, 12, null, null)
       ) k (kind, many, days, email, role)
 cross join lateral generate_series(1, many) as nr
 cross join lateral (select coalesce(days, 1 + nr % 60) as age) as aged;

update person
   set email = case kind when 'twin' then (array['Twin1', 'twin1', 'TWIN2', 'twin2'])[nr] || '@exam.example'
                         when 'deleted_twin' then 'PERSON5@EXAM.EXAMPLE'
                         when 'sso' then (array['person1', 'person2', 'PERSON3'])[nr] || '@exam.example'
                         when 'deleted' then md5(id::text)
                         when 'casing' then upper(kind || nr || '@exam.example')
                         else kind || nr || '@exam.example' end
 where kind not in ('phone', 'anonymous', 'anonymous_young');

insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, invited_at,
                        confirmation_token, confirmation_sent_at, recovery_token, email_change_token_new, email_change,
                        email_change_sent_at, last_sign_in_at, raw_app_meta_data, raw_user_meta_data, is_super_admin,
                        created_at, updated_at, phone, phone_confirmed_at, banned_until, is_sso_user, deleted_at,
                        is_anonymous)
select '00000000-0000-0000-0000-000000000000', id, 'authenticated', role, email,
       case when kind not in ('phone', 'anonymous', 'anonymous_young', 'deleted', 'sso') then 'canary-password' end,
       case when kind like 'unconfirmed%' or kind in ('phone', 'invited', 'invited_young', 'invited_again') then null
            when kind like 'anonymous%' then null
            when kind in ('new', 'just_confirmed') then now()
            when kind = 'invited_accepted' then born + interval '1 day'
            else born + interval '1 minute' end,
       case when kind = 'invited_again' then pg_temp.ago('2 days') when kind like 'invited%' then born end,
       case when kind = 'unconfirmed' then 'canary-confirmation-' || nr else '' end,
       case when kind not in ('phone', 'admin_made', 'sso') and kind not like 'anonymous%' then born end,
       '', '',
       case kind when 'changing' then 'moved' || nr || '@exam.example' else '' end,
       case kind when 'changing' then pg_temp.ago('1 hour') end,
       case when kind like 'unconfirmed%' or kind in ('admin_made', 'invited', 'invited_young', 'invited_again') then null
            else greatest(born, pg_temp.ago('2 hours')) end,
       '{"provider": "email", "note": "canary-app-meta"}', '{"note": "canary-user-meta"}',
       case kind when 'super' then true when 'role_null' then null else false end,
       born, pg_temp.ago('2 hours'),
       case kind when 'phone' then '+4930901' || nr end, case kind when 'phone' then born end,
       case kind when 'banned' then now() + interval '1 day' when 'banned_forever' then 'infinity'
                 when 'once_banned' then pg_temp.ago('1 hour') end,
       kind in ('sso', 'unconfirmed_sso'),
       case when kind in ('deleted', 'deleted_twin') then pg_temp.ago('60 days')
            when kind = 'unconfirmed_deleted' then pg_temp.ago('10 days') end,
       kind in ('anonymous', 'anonymous_young')
  from person;

-- 020: one user for each of the eight columns, and one with three at once
update auth.users u set confirmation_token = null from person p where p.id = u.id and kind = 'halfnull' and nr in (1, 9);
update auth.users u set recovery_token = null from person p where p.id = u.id and kind = 'halfnull' and nr in (2, 9);
update auth.users u set email_change = null from person p where p.id = u.id and kind = 'halfnull' and nr in (3, 9);
update auth.users u set email_change_token_new = null from person p where p.id = u.id and kind = 'halfnull' and nr = 4;
update auth.users u set email_change_token_current = null from person p
 where p.id = u.id and kind = 'halfnull' and nr = 5;
update auth.users u set phone_change = null from person p where p.id = u.id and kind = 'halfnull' and nr = 6;
update auth.users u set phone_change_token = null from person p where p.id = u.id and kind = 'halfnull' and nr = 7;
update auth.users u set reauthentication_token = null from person p where p.id = u.id and kind = 'halfnull' and nr = 8;

-- 013: nobody anonymous has one, one of the deleted has none, nor has who was made by an admin and never came
insert into auth.identities (provider_id, user_id, identity_data, provider, created_at, updated_at)
select id, id,
       jsonb_build_object('sub', id, 'note', 'canary-identity', 'email',
                          case kind when 'mismatch' then 'other' || nr || '@exam.example'
                                    when 'changing' then 'moved' || nr || '@exam.example' else email end),
       case kind when 'phone' then 'phone' when 'sso' then 'sso:' || gen_random_uuid() else 'email' end, born, born
  from person
 where kind not in ('bare', 'admin_made', 'anonymous', 'anonymous_young') and not (kind = 'deleted' and nr = 1);
insert into auth.identities (provider_id, user_id, identity_data, provider, created_at, updated_at)
select 'google-' || id, id, jsonb_build_object('email', 'canary' || nr || '@elsewhere.example'), 'google', born, born
  from person
 where kind = 'social';

-- Sessions: whose, what for, how many unrevoked tokens
create temporary table login on commit drop as
select gen_random_uuid() as id, p.id as user_id, kind, why, nr
  from (values ('banned', 1, 2, 'live'), ('banned', 3, 3, 'revoked'), ('banned_forever', 1, 1, 'live'),
               ('once_banned', 1, 2, 'live'), ('deleted', 1, 2, 'live'), ('deleted', 3, 3, 'revoked'),
               ('person', 1, 40, 'plain'), ('person', 41, 42, 'mismatch'), ('person', 45, 47, 'loud'),
               ('person', 48, 49, 'many'), ('person', 50, 52, 'reuse'), ('person', 53, 53, 'live'),
               ('person', 53, 53, 'live'), ('person', 54, 56, 'expired'), ('person', 57, 58, 'just_expired'),
               ('person', 59, 59, 'expired_revoked'), ('person', 60, 60, 'bounded'), ('person', 61, 62, 'aal2_sick'),
               ('person', 63, 64, 'aal2_factor'), ('person', 65, 65, 'aal2_passkey'), ('person', 66, 66, 'live'),
               ('person', 67, 68, 'factor_gone'), ('person', 69, 69, 'hmac'), ('person', 70, 70, 'history'),
               ('person', 71, 75, 'long')
       ) s (kind, first, last, why)
  join person p using (kind)
 where p.nr between first and last;

insert into auth.mfa_factors (id, user_id, friendly_name, factor_type, status, created_at, updated_at, secret)
select gen_random_uuid(), id, 'f' || kind || nr, 'totp'::auth.factor_type, 'verified'::auth.factor_status, pg_temp.ago('90 days'), pg_temp.ago('90 days'),
       'canary-secret'
  from person
 where kind = 'person' and (nr in (63, 64, 67, 68) or nr between 100 and 130)
union all  -- 019: 150 stale, 5 not yet
select gen_random_uuid(), id, 'u' || nr, 'totp', 'unverified', since, since, 'canary-secret'
  from person
 cross join lateral (select case when nr > 150 then pg_temp.ago('20 hours') else pg_temp.ago('30 days') end) as b (since)
 where kind = 'person' and nr <= 155 and nr not in (61, 62)
union all
select gen_random_uuid(), id, 'late' || nr, 'totp', 'unverified', since, since, 'canary-secret'
  from person, (values (pg_temp.ago('30 days'), 156), (pg_temp.ago('30 days'), 157), (pg_temp.ago('1 hour'), 62))
            as late (since, whose)
 where kind = 'person' and nr = whose;

insert into auth.sessions (id, user_id, created_at, updated_at, factor_id, aal, not_after, refreshed_at, user_agent, ip,
                           refresh_token_hmac_key, refresh_token_counter)
select id, user_id, pg_temp.ago('5 days'), pg_temp.ago('1 hour'),
       case why when 'aal2_factor' then (select f.id from auth.mfa_factors f
                                          where f.user_id = login.user_id and status = 'verified')
                when 'factor_gone' then pg_temp.nobody() end,
       (case when why like 'aal2%' or why = 'factor_gone' then 'aal2' else 'aal1' end)::auth.aal_level,
       case why when 'expired' then pg_temp.ago('30 hours') when 'just_expired' then pg_temp.ago('20 hours')
                when 'expired_revoked' then pg_temp.ago('30 hours') when 'bounded' then now() + interval '1 day' end,
       pg_temp.ago('1 hour') at time zone 'UTC', 'canary-agent', '192.0.2.77',
       case why when 'hmac' then 'canary-hmac' end, case why when 'hmac' then 3 end
  from login;

create function pg_temp.token(whose text, lives boolean, born timestamptz, home uuid) returns void language sql
    as $$ insert into auth.refresh_tokens (token, user_id, revoked, created_at, updated_at, session_id)
          values ('canary-' || md5(random()::text), whose, not lives, born, born, home) $$;
select count(pg_temp.token(user_id::text, why not in ('revoked', 'expired_revoked'),
                           pg_temp.ago(case why when 'long' then '30 days' else '1 hour' end), id))
  from login where why not in ('mismatch', 'loud', 'hmac');
select count(pg_temp.token(user_id::text, false, pg_temp.ago('2 hours'), id)) from login where why = 'plain';
select count(pg_temp.token(user_id::text, true, pg_temp.ago('2 hours'), id)) from login where why = 'many';
select count(pg_temp.token(user_id::text, true, now() + interval '3 minutes', id)) from login where why = 'reuse';
select count(pg_temp.token(upper(user_id::text), true, pg_temp.ago('1 hour'), id)) from login where why = 'loud';
-- 015: another's token
select count(pg_temp.token((select id from person p where p.kind = 'person' and p.nr = 150 + login.nr)::text, true,
                           pg_temp.ago('1 hour'), id)) from login where why = 'mismatch';
-- 014: of nobody, without a session; beside them of nobody in particular, and of persons
select count(pg_temp.token(pg_temp.nobody()::text, true, pg_temp.ago('1 hour'), null)) from generate_series(1, 4);
select pg_temp.token(null, true, pg_temp.ago('1 hour'), null);
select count(pg_temp.token(upper(id::text), true, pg_temp.ago('1 hour'), null)) from person
 where kind = 'person' and nr in (76, 77);
-- 019: 150 revoked long ago, 5 not yet
select count(pg_temp.token(user_id::text, false, pg_temp.ago(case when g > 150 then '40 hours' else '30 days' end), id))
  from login, generate_series(1, 155) g where why = 'history';

-- These times have no zone: they are UTC's, whatever the session's zone is.
insert into auth.one_time_tokens (id, user_id, token_type, token_hash, relates_to, created_at, updated_at)
select gen_random_uuid(), id, 'recovery_token', 'canary-hash-' || nr, email, since, since
  from person
 cross join lateral (select pg_temp.ago(case when nr > 150 then '20 hours' else '30 days' end) at time zone 'UTC')
         as b (since)
 where kind = 'person' and nr <= 155;

insert into auth.flow_state (id, user_id, auth_code, code_challenge_method, code_challenge, provider_type,
                             provider_access_token, created_at, updated_at, authentication_method)
select gen_random_uuid(), whose, 'canary-code', 's256', 'canary-challenge', 'email', 'canary-access', born, born, 'otp'
  from (select null::uuid, pg_temp.ago('30 days') from generate_series(1, 150)
        union all select null, pg_temp.ago('20 hours') from generate_series(1, 5)
        union all select pg_temp.nobody(), pg_temp.ago('2 hours') from generate_series(1, 3)
        union all select id, pg_temp.ago('2 hours') from person where kind = 'person' and nr <= 4) as f (whose, born);

insert into auth.webauthn_credentials (user_id, credential_id, public_key)
select user_id, decode(md5(user_id::text), 'hex'), 'canary' from login where why = 'aal2_passkey';

insert into auth.schema_migrations (version) values ('20260115000000'), ('20260820000000');

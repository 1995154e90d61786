-- Schema auth as Supabase Auth (GoTrue) leaves it at its newest level: tables, keys, checks, indexes, row level security.
-- For the demo and the tests; needs a superuser, no extension, PostgreSQL 14 or newer. Roles that exist are left alone.

do $$
declare
    wanted record;
begin
    for wanted in
        select *
          from (values ('anon', 'nologin'),
                       ('authenticated', 'nologin'),
                       ('service_role', 'nologin bypassrls'),
                       ('authenticator', 'login noinherit'),
                       ('supabase_auth_admin', 'login noinherit createrole')) as role (name, attributes)
    loop
        begin
            if pg_catalog.to_regrole(wanted.name) is null then
                execute pg_catalog.format('create role %I %s', wanted.name, wanted.attributes);
            end if;
        exception
            when duplicate_object or unique_violation then
                null;  -- another database of the cluster was quicker
        end;
    end loop;
end
$$;

create schema auth authorization supabase_auth_admin;
grant usage on schema auth to anon, authenticated, service_role;

create function auth.uid() returns uuid language sql stable as $$
    select coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
                    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
$$;

create function auth.role() returns text language sql stable as $$
    select coalesce(nullif(current_setting('request.jwt.claim.role', true), ''),
                    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role')
$$;

create function auth.email() returns text language sql stable as $$
    select coalesce(nullif(current_setting('request.jwt.claim.email', true), ''),
                    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email')
$$;

create function auth.jwt() returns jsonb language sql stable as $$
    select coalesce(nullif(current_setting('request.jwt.claim', true), ''),
                    nullif(current_setting('request.jwt.claims', true), ''))::jsonb
$$;

create type auth.aal_level as enum ('aal1', 'aal2', 'aal3');
create type auth.code_challenge_method as enum ('s256', 'plain');
create type auth.factor_status as enum ('unverified', 'verified');
create type auth.factor_type as enum ('totp', 'webauthn', 'phone');
create type auth.oauth_authorization_status as enum ('pending', 'approved', 'denied', 'expired');
create type auth.oauth_client_type as enum ('public', 'confidential');
create type auth.oauth_registration_type as enum ('dynamic', 'manual');
create type auth.oauth_response_type as enum ('code');
create type auth.one_time_token_type as enum ('confirmation_token', 'reauthentication_token', 'recovery_token', 'email_change_token_new', 'email_change_token_current', 'phone_change_token');

create sequence auth.refresh_tokens_id_seq;

create table auth.audit_log_entries (
    instance_id uuid,
    id          uuid not null,
    payload     json,
    created_at  timestamp with time zone,
    ip_address  character varying(64) default ''::character varying not null
);

create table auth.custom_oauth_providers (
    id                      uuid default gen_random_uuid() not null,
    provider_type           text not null,
    identifier              text not null,
    name                    text not null,
    client_id               text not null,
    client_secret           text not null,
    acceptable_client_ids   text[] default '{}'::text[] not null,
    scopes                  text[] default '{}'::text[] not null,
    pkce_enabled            boolean default true not null,
    attribute_mapping       jsonb default '{}'::jsonb not null,
    authorization_params    jsonb default '{}'::jsonb not null,
    enabled                 boolean default true not null,
    email_optional          boolean default false not null,
    issuer                  text,
    discovery_url           text,
    skip_nonce_check        boolean default false not null,
    cached_discovery        jsonb,
    discovery_cached_at     timestamp with time zone,
    authorization_url       text,
    token_url               text,
    userinfo_url            text,
    jwks_uri                text,
    created_at              timestamp with time zone default now() not null,
    updated_at              timestamp with time zone default now() not null,
    custom_claims_allowlist text[] default '{}'::text[] not null
);

create table auth.flow_state (
    id                     uuid not null,
    user_id                uuid,
    auth_code              text,
    code_challenge_method  auth.code_challenge_method,
    code_challenge         text,
    provider_type          text not null,
    provider_access_token  text,
    provider_refresh_token text,
    created_at             timestamp with time zone,
    updated_at             timestamp with time zone,
    authentication_method  text not null,
    auth_code_issued_at    timestamp with time zone,
    invite_token           text,
    referrer               text,
    oauth_client_state_id  uuid,
    linking_target_id      uuid,
    email_optional         boolean default false not null
);

create table auth.identities (
    provider_id     text not null,
    user_id         uuid not null,
    identity_data   jsonb not null,
    provider        text not null,
    last_sign_in_at timestamp with time zone,
    created_at      timestamp with time zone,
    updated_at      timestamp with time zone,
    email           text generated always as (lower((identity_data ->> 'email'::text))) stored,
    id              uuid default gen_random_uuid() not null
);

create table auth.instances (
    id              uuid not null,
    uuid            uuid,
    raw_base_config text,
    created_at      timestamp with time zone,
    updated_at      timestamp with time zone
);

create table auth.mfa_amr_claims (
    session_id            uuid not null,
    created_at            timestamp with time zone not null,
    updated_at            timestamp with time zone not null,
    authentication_method text not null,
    id                    uuid not null
);

create table auth.mfa_challenges (
    id                     uuid not null,
    factor_id              uuid not null,
    created_at             timestamp with time zone not null,
    verified_at            timestamp with time zone,
    ip_address             inet not null,
    otp_code               text,
    web_authn_session_data jsonb
);

create table auth.mfa_factors (
    id                           uuid not null,
    user_id                      uuid not null,
    friendly_name                text,
    factor_type                  auth.factor_type not null,
    status                       auth.factor_status not null,
    created_at                   timestamp with time zone not null,
    updated_at                   timestamp with time zone not null,
    secret                       text,
    phone                        text,
    last_challenged_at           timestamp with time zone,
    web_authn_credential         jsonb,
    web_authn_aaguid             uuid,
    last_webauthn_challenge_data jsonb
);

create table auth.oauth_authorizations (
    id                    uuid not null,
    authorization_id      text not null,
    client_id             uuid not null,
    user_id               uuid,
    redirect_uri          text not null,
    scope                 text not null,
    state                 text,
    resource              text,
    code_challenge        text,
    code_challenge_method auth.code_challenge_method,
    response_type         auth.oauth_response_type default 'code'::auth.oauth_response_type not null,
    status                auth.oauth_authorization_status default 'pending'::auth.oauth_authorization_status not null,
    authorization_code    text,
    created_at            timestamp with time zone default now() not null,
    expires_at            timestamp with time zone default (now() + '00:03:00'::interval) not null,
    approved_at           timestamp with time zone,
    nonce                 text
);

create table auth.oauth_client_states (
    id            uuid not null,
    provider_type text not null,
    code_verifier text,
    created_at    timestamp with time zone not null
);

create table auth.oauth_clients (
    id                         uuid not null,
    client_secret_hash         text,
    registration_type          auth.oauth_registration_type not null,
    redirect_uris              text not null,
    grant_types                text not null,
    client_name                text,
    client_uri                 text,
    logo_uri                   text,
    created_at                 timestamp with time zone default now() not null,
    updated_at                 timestamp with time zone default now() not null,
    deleted_at                 timestamp with time zone,
    client_type                auth.oauth_client_type default 'confidential'::auth.oauth_client_type not null,
    token_endpoint_auth_method text not null
);

create table auth.oauth_consents (
    id         uuid not null,
    user_id    uuid not null,
    client_id  uuid not null,
    scopes     text not null,
    granted_at timestamp with time zone default now() not null,
    revoked_at timestamp with time zone
);

create table auth.one_time_tokens (
    id         uuid not null,
    user_id    uuid not null,
    token_type auth.one_time_token_type not null,
    token_hash text not null,
    relates_to text not null,
    created_at timestamp without time zone default now() not null,
    updated_at timestamp without time zone default now() not null
);

create table auth.refresh_tokens (
    instance_id uuid,
    id          bigint default nextval('auth.refresh_tokens_id_seq'::regclass) not null,
    token       character varying(255),
    user_id     character varying(255),
    revoked     boolean,
    created_at  timestamp with time zone,
    updated_at  timestamp with time zone,
    parent      character varying(255),
    session_id  uuid
);

create table auth.saml_providers (
    id                uuid not null,
    sso_provider_id   uuid not null,
    entity_id         text not null,
    metadata_xml      text not null,
    metadata_url      text,
    attribute_mapping jsonb,
    created_at        timestamp with time zone,
    updated_at        timestamp with time zone,
    name_id_format    text
);

create table auth.saml_relay_states (
    id              uuid not null,
    sso_provider_id uuid not null,
    request_id      text not null,
    for_email       text,
    redirect_to     text,
    created_at      timestamp with time zone,
    updated_at      timestamp with time zone,
    flow_state_id   uuid
);

create table auth.schema_migrations (
    version character varying(255) not null
);

create table auth.sessions (
    id                     uuid not null,
    user_id                uuid not null,
    created_at             timestamp with time zone,
    updated_at             timestamp with time zone,
    factor_id              uuid,
    aal                    auth.aal_level,
    not_after              timestamp with time zone,
    refreshed_at           timestamp without time zone,
    user_agent             text,
    ip                     inet,
    tag                    text,
    oauth_client_id        uuid,
    refresh_token_hmac_key text,
    refresh_token_counter  bigint,
    scopes                 text
);

create table auth.sso_domains (
    id              uuid not null,
    sso_provider_id uuid not null,
    domain          text not null,
    created_at      timestamp with time zone,
    updated_at      timestamp with time zone
);

create table auth.sso_providers (
    id          uuid not null,
    resource_id text,
    created_at  timestamp with time zone,
    updated_at  timestamp with time zone,
    disabled    boolean
);

create table auth.users (
    instance_id                 uuid,
    id                          uuid not null,
    aud                         character varying(255),
    role                        character varying(255),
    email                       character varying(255),
    encrypted_password          character varying(255),
    email_confirmed_at          timestamp with time zone,
    invited_at                  timestamp with time zone,
    confirmation_token          character varying(255),
    confirmation_sent_at        timestamp with time zone,
    recovery_token              character varying(255),
    recovery_sent_at            timestamp with time zone,
    email_change_token_new      character varying(255),
    email_change                character varying(255),
    email_change_sent_at        timestamp with time zone,
    last_sign_in_at             timestamp with time zone,
    raw_app_meta_data           jsonb,
    raw_user_meta_data          jsonb,
    is_super_admin              boolean,
    created_at                  timestamp with time zone,
    updated_at                  timestamp with time zone,
    phone                       text default NULL::character varying,
    phone_confirmed_at          timestamp with time zone,
    phone_change                text default ''::character varying,
    phone_change_token          character varying(255) default ''::character varying,
    phone_change_sent_at        timestamp with time zone,
    confirmed_at                timestamp with time zone generated always as (LEAST(email_confirmed_at, phone_confirmed_at)) stored,
    email_change_token_current  character varying(255) default ''::character varying,
    email_change_confirm_status smallint default 0,
    banned_until                timestamp with time zone,
    reauthentication_token      character varying(255) default ''::character varying,
    reauthentication_sent_at    timestamp with time zone,
    is_sso_user                 boolean default false not null,
    deleted_at                  timestamp with time zone,
    is_anonymous                boolean default false not null
);

create table auth.webauthn_challenges (
    id             uuid default gen_random_uuid() not null,
    user_id        uuid,
    challenge_type text not null,
    session_data   jsonb not null,
    created_at     timestamp with time zone default now() not null,
    expires_at     timestamp with time zone not null
);

create table auth.webauthn_credentials (
    id               uuid default gen_random_uuid() not null,
    user_id          uuid not null,
    credential_id    bytea not null,
    public_key       bytea not null,
    attestation_type text default ''::text not null,
    aaguid           uuid,
    sign_count       bigint default 0 not null,
    transports       jsonb default '[]'::jsonb not null,
    backup_eligible  boolean default false not null,
    backed_up        boolean default false not null,
    friendly_name    text default ''::text not null,
    created_at       timestamp with time zone default now() not null,
    updated_at       timestamp with time zone default now() not null,
    last_used_at     timestamp with time zone
);

alter sequence auth.refresh_tokens_id_seq owned by auth.refresh_tokens.id;

alter table auth.audit_log_entries add constraint audit_log_entries_pkey PRIMARY KEY (id);
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_authorization_url_https CHECK (((authorization_url IS NULL) OR (authorization_url ~~ 'https://%'::text)));
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_authorization_url_length CHECK (((authorization_url IS NULL) OR (char_length(authorization_url) <= 2048)));
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_client_id_length CHECK (((char_length(client_id) >= 1) AND (char_length(client_id) <= 512)));
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_discovery_url_length CHECK (((discovery_url IS NULL) OR (char_length(discovery_url) <= 2048)));
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_identifier_format CHECK ((identifier ~ '^[a-z0-9][a-z0-9:-]{0,48}[a-z0-9]$'::text));
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_identifier_key UNIQUE (identifier);
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_issuer_length CHECK (((issuer IS NULL) OR ((char_length(issuer) >= 1) AND (char_length(issuer) <= 2048))));
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_jwks_uri_https CHECK (((jwks_uri IS NULL) OR (jwks_uri ~~ 'https://%'::text)));
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_jwks_uri_length CHECK (((jwks_uri IS NULL) OR (char_length(jwks_uri) <= 2048)));
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 100)));
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_oauth2_requires_endpoints CHECK (((provider_type <> 'oauth2'::text) OR ((authorization_url IS NOT NULL) AND (token_url IS NOT NULL) AND (userinfo_url IS NOT NULL))));
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_oidc_discovery_url_https CHECK (((provider_type <> 'oidc'::text) OR (discovery_url IS NULL) OR (discovery_url ~~ 'https://%'::text)));
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_oidc_issuer_https CHECK (((provider_type <> 'oidc'::text) OR (issuer IS NULL) OR (issuer ~~ 'https://%'::text)));
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_oidc_requires_issuer CHECK (((provider_type <> 'oidc'::text) OR (issuer IS NOT NULL)));
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_pkey PRIMARY KEY (id);
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_provider_type_check CHECK ((provider_type = ANY (ARRAY['oauth2'::text, 'oidc'::text])));
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_token_url_https CHECK (((token_url IS NULL) OR (token_url ~~ 'https://%'::text)));
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_token_url_length CHECK (((token_url IS NULL) OR (char_length(token_url) <= 2048)));
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_userinfo_url_https CHECK (((userinfo_url IS NULL) OR (userinfo_url ~~ 'https://%'::text)));
alter table auth.custom_oauth_providers add constraint custom_oauth_providers_userinfo_url_length CHECK (((userinfo_url IS NULL) OR (char_length(userinfo_url) <= 2048)));
alter table auth.flow_state add constraint flow_state_pkey PRIMARY KEY (id);
alter table auth.identities add constraint identities_pkey PRIMARY KEY (id);
alter table auth.identities add constraint identities_provider_id_provider_unique UNIQUE (provider_id, provider);
alter table auth.instances add constraint instances_pkey PRIMARY KEY (id);
alter table auth.mfa_amr_claims add constraint amr_id_pk PRIMARY KEY (id);
alter table auth.mfa_amr_claims add constraint mfa_amr_claims_session_id_authentication_method_pkey UNIQUE (session_id, authentication_method);
alter table auth.mfa_challenges add constraint mfa_challenges_pkey PRIMARY KEY (id);
alter table auth.mfa_factors add constraint mfa_factors_last_challenged_at_key UNIQUE (last_challenged_at);
alter table auth.mfa_factors add constraint mfa_factors_pkey PRIMARY KEY (id);
alter table auth.oauth_authorizations add constraint oauth_authorizations_authorization_code_key UNIQUE (authorization_code);
alter table auth.oauth_authorizations add constraint oauth_authorizations_authorization_code_length CHECK ((char_length(authorization_code) <= 255));
alter table auth.oauth_authorizations add constraint oauth_authorizations_authorization_id_key UNIQUE (authorization_id);
alter table auth.oauth_authorizations add constraint oauth_authorizations_code_challenge_length CHECK ((char_length(code_challenge) <= 128));
alter table auth.oauth_authorizations add constraint oauth_authorizations_expires_at_future CHECK ((expires_at > created_at));
alter table auth.oauth_authorizations add constraint oauth_authorizations_nonce_length CHECK ((char_length(nonce) <= 255));
alter table auth.oauth_authorizations add constraint oauth_authorizations_pkey PRIMARY KEY (id);
alter table auth.oauth_authorizations add constraint oauth_authorizations_redirect_uri_length CHECK ((char_length(redirect_uri) <= 2048));
alter table auth.oauth_authorizations add constraint oauth_authorizations_resource_length CHECK ((char_length(resource) <= 2048));
alter table auth.oauth_authorizations add constraint oauth_authorizations_scope_length CHECK ((char_length(scope) <= 4096));
alter table auth.oauth_authorizations add constraint oauth_authorizations_state_length CHECK ((char_length(state) <= 4096));
alter table auth.oauth_client_states add constraint oauth_client_states_pkey PRIMARY KEY (id);
alter table auth.oauth_clients add constraint oauth_clients_client_name_length CHECK ((char_length(client_name) <= 1024));
alter table auth.oauth_clients add constraint oauth_clients_client_uri_length CHECK ((char_length(client_uri) <= 2048));
alter table auth.oauth_clients add constraint oauth_clients_logo_uri_length CHECK ((char_length(logo_uri) <= 2048));
alter table auth.oauth_clients add constraint oauth_clients_pkey PRIMARY KEY (id);
alter table auth.oauth_clients add constraint oauth_clients_token_endpoint_auth_method_check CHECK ((token_endpoint_auth_method = ANY (ARRAY['client_secret_basic'::text, 'client_secret_post'::text, 'none'::text])));
alter table auth.oauth_consents add constraint oauth_consents_pkey PRIMARY KEY (id);
alter table auth.oauth_consents add constraint oauth_consents_revoked_after_granted CHECK (((revoked_at IS NULL) OR (revoked_at >= granted_at)));
alter table auth.oauth_consents add constraint oauth_consents_scopes_length CHECK ((char_length(scopes) <= 2048));
alter table auth.oauth_consents add constraint oauth_consents_scopes_not_empty CHECK ((char_length(TRIM(BOTH FROM scopes)) > 0));
alter table auth.oauth_consents add constraint oauth_consents_user_client_unique UNIQUE (user_id, client_id);
alter table auth.one_time_tokens add constraint one_time_tokens_pkey PRIMARY KEY (id);
alter table auth.one_time_tokens add constraint one_time_tokens_token_hash_check CHECK ((char_length(token_hash) > 0));
alter table auth.refresh_tokens add constraint refresh_tokens_pkey PRIMARY KEY (id);
alter table auth.refresh_tokens add constraint refresh_tokens_token_unique UNIQUE (token);
alter table auth.saml_providers add constraint "entity_id not empty" CHECK ((char_length(entity_id) > 0));
alter table auth.saml_providers add constraint "metadata_url not empty" CHECK (((metadata_url = NULL::text) OR (char_length(metadata_url) > 0)));
alter table auth.saml_providers add constraint "metadata_xml not empty" CHECK ((char_length(metadata_xml) > 0));
alter table auth.saml_providers add constraint saml_providers_entity_id_key UNIQUE (entity_id);
alter table auth.saml_providers add constraint saml_providers_pkey PRIMARY KEY (id);
alter table auth.saml_relay_states add constraint "request_id not empty" CHECK ((char_length(request_id) > 0));
alter table auth.saml_relay_states add constraint saml_relay_states_pkey PRIMARY KEY (id);
alter table auth.schema_migrations add constraint schema_migrations_pkey PRIMARY KEY (version);
alter table auth.sessions add constraint sessions_pkey PRIMARY KEY (id);
alter table auth.sessions add constraint sessions_scopes_length CHECK ((char_length(scopes) <= 4096));
alter table auth.sso_domains add constraint "domain not empty" CHECK ((char_length(domain) > 0));
alter table auth.sso_domains add constraint sso_domains_pkey PRIMARY KEY (id);
alter table auth.sso_providers add constraint "resource_id not empty" CHECK (((resource_id = NULL::text) OR (char_length(resource_id) > 0)));
alter table auth.sso_providers add constraint sso_providers_pkey PRIMARY KEY (id);
alter table auth.users add constraint users_email_change_confirm_status_check CHECK (((email_change_confirm_status >= 0) AND (email_change_confirm_status <= 2)));
alter table auth.users add constraint users_phone_key UNIQUE (phone);
alter table auth.users add constraint users_pkey PRIMARY KEY (id);
alter table auth.webauthn_challenges add constraint webauthn_challenges_challenge_type_check CHECK ((challenge_type = ANY (ARRAY['signup'::text, 'registration'::text, 'authentication'::text])));
alter table auth.webauthn_challenges add constraint webauthn_challenges_pkey PRIMARY KEY (id);
alter table auth.webauthn_credentials add constraint webauthn_credentials_pkey PRIMARY KEY (id);
alter table auth.identities add constraint identities_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;
alter table auth.mfa_amr_claims add constraint mfa_amr_claims_session_id_fkey FOREIGN KEY (session_id) REFERENCES auth.sessions(id) ON DELETE CASCADE;
alter table auth.mfa_challenges add constraint mfa_challenges_auth_factor_id_fkey FOREIGN KEY (factor_id) REFERENCES auth.mfa_factors(id) ON DELETE CASCADE;
alter table auth.mfa_factors add constraint mfa_factors_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;
alter table auth.oauth_authorizations add constraint oauth_authorizations_client_id_fkey FOREIGN KEY (client_id) REFERENCES auth.oauth_clients(id) ON DELETE CASCADE;
alter table auth.oauth_authorizations add constraint oauth_authorizations_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;
alter table auth.oauth_consents add constraint oauth_consents_client_id_fkey FOREIGN KEY (client_id) REFERENCES auth.oauth_clients(id) ON DELETE CASCADE;
alter table auth.oauth_consents add constraint oauth_consents_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;
alter table auth.one_time_tokens add constraint one_time_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;
alter table auth.refresh_tokens add constraint refresh_tokens_session_id_fkey FOREIGN KEY (session_id) REFERENCES auth.sessions(id) ON DELETE CASCADE;
alter table auth.saml_providers add constraint saml_providers_sso_provider_id_fkey FOREIGN KEY (sso_provider_id) REFERENCES auth.sso_providers(id) ON DELETE CASCADE;
alter table auth.saml_relay_states add constraint saml_relay_states_flow_state_id_fkey FOREIGN KEY (flow_state_id) REFERENCES auth.flow_state(id) ON DELETE CASCADE;
alter table auth.saml_relay_states add constraint saml_relay_states_sso_provider_id_fkey FOREIGN KEY (sso_provider_id) REFERENCES auth.sso_providers(id) ON DELETE CASCADE;
alter table auth.sessions add constraint sessions_oauth_client_id_fkey FOREIGN KEY (oauth_client_id) REFERENCES auth.oauth_clients(id) ON DELETE CASCADE;
alter table auth.sessions add constraint sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;
alter table auth.sso_domains add constraint sso_domains_sso_provider_id_fkey FOREIGN KEY (sso_provider_id) REFERENCES auth.sso_providers(id) ON DELETE CASCADE;
alter table auth.webauthn_challenges add constraint webauthn_challenges_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;
alter table auth.webauthn_credentials add constraint webauthn_credentials_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

CREATE INDEX audit_logs_instance_id_idx ON auth.audit_log_entries USING btree (instance_id);
CREATE INDEX custom_oauth_providers_created_at_idx ON auth.custom_oauth_providers USING btree (created_at);
CREATE INDEX custom_oauth_providers_enabled_idx ON auth.custom_oauth_providers USING btree (enabled);
CREATE INDEX custom_oauth_providers_identifier_idx ON auth.custom_oauth_providers USING btree (identifier);
CREATE INDEX custom_oauth_providers_provider_type_idx ON auth.custom_oauth_providers USING btree (provider_type);
CREATE INDEX flow_state_created_at_idx ON auth.flow_state USING btree (created_at DESC);
CREATE INDEX idx_auth_code ON auth.flow_state USING btree (auth_code);
CREATE INDEX idx_user_id_auth_method ON auth.flow_state USING btree (user_id, authentication_method);
CREATE INDEX identities_email_idx ON auth.identities USING btree (email text_pattern_ops);
CREATE INDEX identities_user_id_idx ON auth.identities USING btree (user_id);
CREATE INDEX mfa_challenge_created_at_idx ON auth.mfa_challenges USING btree (created_at DESC);
CREATE INDEX factor_id_created_at_idx ON auth.mfa_factors USING btree (user_id, created_at);
CREATE UNIQUE INDEX mfa_factors_user_friendly_name_unique ON auth.mfa_factors USING btree (friendly_name, user_id) WHERE (TRIM(BOTH FROM friendly_name) <> ''::text);
CREATE INDEX mfa_factors_user_id_idx ON auth.mfa_factors USING btree (user_id);
CREATE UNIQUE INDEX unique_phone_factor_per_user ON auth.mfa_factors USING btree (user_id, phone);
CREATE INDEX oauth_auth_pending_exp_idx ON auth.oauth_authorizations USING btree (expires_at) WHERE (status = 'pending'::auth.oauth_authorization_status);
CREATE INDEX idx_oauth_client_states_created_at ON auth.oauth_client_states USING btree (created_at);
CREATE INDEX oauth_clients_deleted_at_idx ON auth.oauth_clients USING btree (deleted_at);
CREATE INDEX oauth_consents_active_client_idx ON auth.oauth_consents USING btree (client_id) WHERE (revoked_at IS NULL);
CREATE INDEX oauth_consents_active_user_client_idx ON auth.oauth_consents USING btree (user_id, client_id) WHERE (revoked_at IS NULL);
CREATE INDEX oauth_consents_user_order_idx ON auth.oauth_consents USING btree (user_id, granted_at DESC);
CREATE INDEX one_time_tokens_relates_to_hash_idx ON auth.one_time_tokens USING hash (relates_to);
CREATE INDEX one_time_tokens_token_hash_hash_idx ON auth.one_time_tokens USING hash (token_hash);
CREATE UNIQUE INDEX one_time_tokens_user_id_token_type_key ON auth.one_time_tokens USING btree (user_id, token_type);
CREATE INDEX refresh_tokens_instance_id_idx ON auth.refresh_tokens USING btree (instance_id);
CREATE INDEX refresh_tokens_instance_id_user_id_idx ON auth.refresh_tokens USING btree (instance_id, user_id);
CREATE INDEX refresh_tokens_parent_idx ON auth.refresh_tokens USING btree (parent);
CREATE INDEX refresh_tokens_session_id_revoked_idx ON auth.refresh_tokens USING btree (session_id, revoked);
CREATE INDEX refresh_tokens_updated_at_idx ON auth.refresh_tokens USING btree (updated_at DESC);
CREATE INDEX saml_providers_sso_provider_id_idx ON auth.saml_providers USING btree (sso_provider_id);
CREATE INDEX saml_relay_states_created_at_idx ON auth.saml_relay_states USING btree (created_at DESC);
CREATE INDEX saml_relay_states_for_email_idx ON auth.saml_relay_states USING btree (for_email);
CREATE INDEX saml_relay_states_sso_provider_id_idx ON auth.saml_relay_states USING btree (sso_provider_id);
CREATE INDEX sessions_not_after_idx ON auth.sessions USING btree (not_after DESC);
CREATE INDEX sessions_oauth_client_id_idx ON auth.sessions USING btree (oauth_client_id);
CREATE INDEX sessions_user_id_idx ON auth.sessions USING btree (user_id);
CREATE INDEX user_id_created_at_idx ON auth.sessions USING btree (user_id, created_at);
CREATE UNIQUE INDEX sso_domains_domain_idx ON auth.sso_domains USING btree (lower(domain));
CREATE INDEX sso_domains_sso_provider_id_idx ON auth.sso_domains USING btree (sso_provider_id);
CREATE UNIQUE INDEX sso_providers_resource_id_idx ON auth.sso_providers USING btree (lower(resource_id));
CREATE INDEX sso_providers_resource_id_pattern_idx ON auth.sso_providers USING btree (resource_id text_pattern_ops);
CREATE UNIQUE INDEX confirmation_token_idx ON auth.users USING btree (confirmation_token) WHERE ((confirmation_token)::text !~ '^[0-9 ]*$'::text);
CREATE UNIQUE INDEX email_change_token_current_idx ON auth.users USING btree (email_change_token_current) WHERE ((email_change_token_current)::text !~ '^[0-9 ]*$'::text);
CREATE UNIQUE INDEX email_change_token_new_idx ON auth.users USING btree (email_change_token_new) WHERE ((email_change_token_new)::text !~ '^[0-9 ]*$'::text);
CREATE UNIQUE INDEX reauthentication_token_idx ON auth.users USING btree (reauthentication_token) WHERE ((reauthentication_token)::text !~ '^[0-9 ]*$'::text);
CREATE UNIQUE INDEX recovery_token_idx ON auth.users USING btree (recovery_token) WHERE ((recovery_token)::text !~ '^[0-9 ]*$'::text);
CREATE UNIQUE INDEX users_email_partial_key ON auth.users USING btree (email) WHERE (is_sso_user = false);
CREATE INDEX users_instance_id_email_idx ON auth.users USING btree (instance_id, lower((email)::text));
CREATE INDEX users_instance_id_idx ON auth.users USING btree (instance_id);
CREATE INDEX users_is_anonymous_idx ON auth.users USING btree (is_anonymous);
CREATE INDEX webauthn_challenges_expires_at_idx ON auth.webauthn_challenges USING btree (expires_at);
CREATE INDEX webauthn_challenges_user_id_idx ON auth.webauthn_challenges USING btree (user_id);
CREATE UNIQUE INDEX webauthn_credentials_credential_id_key ON auth.webauthn_credentials USING btree (credential_id);
CREATE INDEX webauthn_credentials_user_id_idx ON auth.webauthn_credentials USING btree (user_id);

alter table auth.audit_log_entries enable row level security;
alter table auth.flow_state enable row level security;
alter table auth.identities enable row level security;
alter table auth.instances enable row level security;
alter table auth.mfa_amr_claims enable row level security;
alter table auth.mfa_challenges enable row level security;
alter table auth.mfa_factors enable row level security;
alter table auth.one_time_tokens enable row level security;
alter table auth.refresh_tokens enable row level security;
alter table auth.saml_providers enable row level security;
alter table auth.saml_relay_states enable row level security;
alter table auth.schema_migrations enable row level security;
alter table auth.sessions enable row level security;
alter table auth.sso_domains enable row level security;
alter table auth.sso_providers enable row level security;
alter table auth.users enable row level security;

alter table auth.audit_log_entries owner to supabase_auth_admin;
alter table auth.custom_oauth_providers owner to supabase_auth_admin;
alter table auth.flow_state owner to supabase_auth_admin;
alter table auth.identities owner to supabase_auth_admin;
alter table auth.instances owner to supabase_auth_admin;
alter table auth.mfa_amr_claims owner to supabase_auth_admin;
alter table auth.mfa_challenges owner to supabase_auth_admin;
alter table auth.mfa_factors owner to supabase_auth_admin;
alter table auth.oauth_authorizations owner to supabase_auth_admin;
alter table auth.oauth_client_states owner to supabase_auth_admin;
alter table auth.oauth_clients owner to supabase_auth_admin;
alter table auth.oauth_consents owner to supabase_auth_admin;
alter table auth.one_time_tokens owner to supabase_auth_admin;
alter table auth.refresh_tokens owner to supabase_auth_admin;
alter table auth.saml_providers owner to supabase_auth_admin;
alter table auth.saml_relay_states owner to supabase_auth_admin;
alter table auth.schema_migrations owner to supabase_auth_admin;
alter table auth.sessions owner to supabase_auth_admin;
alter table auth.sso_domains owner to supabase_auth_admin;
alter table auth.sso_providers owner to supabase_auth_admin;
alter table auth.users owner to supabase_auth_admin;
alter table auth.webauthn_challenges owner to supabase_auth_admin;
alter table auth.webauthn_credentials owner to supabase_auth_admin;
alter type auth.aal_level owner to supabase_auth_admin;
alter type auth.code_challenge_method owner to supabase_auth_admin;
alter type auth.factor_status owner to supabase_auth_admin;
alter type auth.factor_type owner to supabase_auth_admin;
alter type auth.oauth_authorization_status owner to supabase_auth_admin;
alter type auth.oauth_client_type owner to supabase_auth_admin;
alter type auth.oauth_registration_type owner to supabase_auth_admin;
alter type auth.oauth_response_type owner to supabase_auth_admin;
alter type auth.one_time_token_type owner to supabase_auth_admin;
alter function auth.uid() owner to supabase_auth_admin;
alter function auth.role() owner to supabase_auth_admin;
alter function auth.email() owner to supabase_auth_admin;
alter function auth.jwt() owner to supabase_auth_admin;

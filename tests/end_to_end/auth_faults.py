"""The second exam's world: every fault of CATALOGUE's rules about GoTrue and its links, with the counts it must have.

The counts were written from CONTRACT, CATALOGUE and facts before any rule was run; auth_faults_census.py counts again.
"""

from collections.abc import Mapping
from pathlib import Path

from monitor.demo.gotrue import gotrue, older_level

HERE = Path(__file__).parent
SCRIPT = "".join((HERE / name).read_text() for name in ("auth_faults_users.sql", "auth_faults_links.sql"))
WORLD = gotrue() + SCRIPT
OLDER_WORLD = WORLD + older_level()

PROFILES, ACCOUNTS, TICKETS = "public.profiles (id)", "app.accounts (auth_user_id)", "app.tickets (owner)"
EVENTS, REVIEWS, ORDERS = "app.events (user_id)", "app.reviews (auth_user_id)", "app.orders (user_id)"
LEADS, MEMBERS = "crm.leads (user_ref)", "crm.members (user_id)"
ODD = '"Odd Schema"."Acct ""x""" ("User Id")'

# Declared are all but app.orders, app.reviews, "Odd Schema" and shp.by_phone.
ONE = "one_per_user: true"
LINKS = """
    - {table: public.profiles, column: id, every_user: true, one_per_user: true, email: email, created_at: created_at}
    - {table: app.accounts, column: auth_user_id, one_per_user: true, created_at: created_at}
    - {table: app.tickets, column: owner, created_at: created_at}
    - {table: app.events, column: user_id, created_at: created_at}
    - {table: crm.leads, column: user_ref, one_per_user: true, created_at: created_at}
    - {table: crm.members, column: user_id, one_per_user: true, created_at: created_at}
    - {table: shp.no_fk, column: user_id, one_per_user: true}
    - {table: shp.not_valid, column: user_id, one_per_user: true}
    - {table: shp.no_action, column: user_id, one_per_user: true}
    - {table: shp.restricted, column: user_id, one_per_user: true}
    - {table: shp.invoices, column: user_id}
    - {table: shp.audit_trail, column: user_id}
    - {table: shp.payments, column: user_id}
    - {table: shp.no_unique, column: user_id, one_per_user: true}
    - {table: shp.half_unique, column: user_id, one_per_user: true}
    - {table: shp.no_index, column: user_id}
    - {table: shp.second_key, column: user_id}
    - {table: shp.partial, column: user_id}
    - {table: shp.invalid, column: user_id}
    - {table: shp.covered, column: user_id}
    - {table: shp.nullable, column: user_id, one_per_user: true}
"""
NOT_LINKS = '  not_links: ["public.audit_*"]\n'

# Rule -> subject -> evidence.count: rows of links.
LINK_ROWS: Mapping[str, Mapping[str, int]] = {
    "auth_links.orphaned_profile": {ACCOUNTS: 5, TICKETS: 3, EVENTS: 6, REVIEWS: 2, LEADS: 2, ODD: 3},
    "auth_links.missing_profile": {PROFILES: 7},
    "auth_links.malformed": {TICKETS: 4, LEADS: 2},
    "auth_links.duplicate": {ACCOUNTS: 2, LEADS: 2},
    "auth_links.soft_deleted_user": {PROFILES: 3, ACCOUNTS: 2, LEADS: 1, MEMBERS: 2},
    "auth_links.banned_user": {PROFILES: 4, ACCOUNTS: 1, LEADS: 1, MEMBERS: 1},
    "auth_links.email_drift": {PROFILES: 3},
}

# Rule -> evidence.count: rows of GoTrue's own tables, one finding each.
AUTH_ROWS: Mapping[str, int] = {
    "auth.banned_live_session": 3,
    "auth.soft_deleted_live_session": 2,
    "auth.unconfirmed": 4,
    "auth.invite_expired": 3,
    "auth.anonymous_stale": 5,
    "auth.email_case_duplicate": 2,
    "auth.user_without_identity": 3,
    "auth.identity_email_mismatch": 2,
    "auth.refresh_token_orphan": 4,
    "auth.refresh_token_mismatch": 2,
    "auth.many_live_tokens": 2,
    "auth.live_token_expired_session": 3,
    "auth.aal2_without_factor": 2,
    "auth.session_factor_missing": 2,
    "auth.null_token_columns": 9,
    "auth.privileged_role": 2,
    "auth.super_admin": 1,
    "auth.flow_state_orphan": 3,
}
# auth.cleanup_stalled: table -> evidence.count.
STALLED: Mapping[str, int] = {"mfa_factors": 150, "one_time_tokens": 150, "refresh_tokens": 150, "flow_state": 150}

# Rule -> the links found; what a declared text link is said of besides is left open.
STRUCTURE: Mapping[str, frozenset[str]] = {
    "auth_links.no_foreign_key": frozenset({ACCOUNTS, EVENTS, REVIEWS, "shp.no_fk (user_id)"}),
    "auth_links.foreign_key_not_valid": frozenset({ODD, "shp.not_valid (user_id)"}),
    "auth_links.no_on_delete": frozenset({"shp.no_action (user_id)", "shp.restricted (user_id)"}),
    "auth_links.cascade_risk": frozenset({"shp.invoices (user_id)", "shp.audit_trail (user_id)"}),
    "auth_links.no_unique": frozenset({ACCOUNTS, "shp.no_unique (user_id)", "shp.half_unique (user_id)"}),
    "auth_links.no_index": frozenset(
        {ACCOUNTS, *(f"shp.{name} (user_id)" for name in ("no_index", "second_key", "partial", "invalid"))}
    ),
    "auth_links.wrong_type": frozenset({TICKETS, LEADS}),
    "auth_links.nullable": frozenset({ACCOUNTS, "shp.nullable (user_id)"}),
    "auth_links.not_primary_key": frozenset({"shp.by_phone (phone)"}),
    "auth_links.email_copy": frozenset({PROFILES}),
    "auth_links.undeclared": frozenset({ORDERS, REVIEWS, ODD}),
    "auth_links.signup_trigger": frozenset(),
}
OPEN: Mapping[str, frozenset[str]] = {
    "auth_links.no_foreign_key": frozenset({TICKETS, LEADS}),
    "auth_links.no_unique": frozenset({ODD}),
    "auth_links.nullable": frozenset({ORDERS, "shp.payments (user_id)"}),  # for guests, and for ON DELETE SET NULL
    "auth_links.wrong_type": frozenset({"shp.by_phone (phone)"}),
}

SEVERITY: Mapping[str, str] = {
    "auth_links.orphaned_profile": "critical",
    "auth_links.missing_profile": "warning",
    "auth_links.malformed": "critical",
    "auth_links.duplicate": "critical",
    "auth_links.soft_deleted_user": "warning",
    "auth_links.banned_user": "info",
    "auth_links.email_drift": "critical",
    "auth_links.email_copy": "warning",
    "auth_links.no_foreign_key": "critical",
    "auth_links.foreign_key_not_valid": "warning",
    "auth_links.no_on_delete": "warning",
    "auth_links.cascade_risk": "info",
    "auth_links.nullable": "info",
    "auth_links.undeclared": "info",
    "auth.banned_live_session": "critical",
    "auth.soft_deleted_live_session": "critical",
    "auth.unconfirmed": "info",
    "auth.invite_expired": "info",
    "auth.anonymous_stale": "info",
    "auth.email_case_duplicate": "warning",
    "auth.user_without_identity": "warning",
    "auth.identity_email_mismatch": "warning",
    "auth.refresh_token_orphan": "warning",
    "auth.refresh_token_mismatch": "critical",
    "auth.many_live_tokens": "warning",
    "auth.live_token_expired_session": "warning",
    "auth.aal2_without_factor": "critical",
    "auth.session_factor_missing": "warning",
    "auth.cleanup_stalled": "info",
    "auth.null_token_columns": "critical",
    "auth.privileged_role": "critical",
    "auth.super_admin": "warning",
    "auth.flow_state_orphan": "info",
}
SECRETIVE = frozenset({"auth.null_token_columns"})
"""Its columns hold tokens: a role that reads by columns may have been given none of them, and then says so."""
LOWER = {"critical": "warning", "warning": "info", "info": "info"}
SAMPLED = frozenset({REVIEWS})
"""Known by a sample only: one step lower, confidence medium."""

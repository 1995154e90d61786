"""The planted faults: each as data beside the rule it must raise and the subject that the finding must name.

What is not listed here is healthy: the demo's report names these and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.demo.schema import DATABASE
from monitor.errors import MonitorError
from monitor.sql.text import read_statement

SEARCH = """
    select id, asked_at, question
      from public.question_history
     where strpos(lower(question), lower($1)) > 0
       and user_id = $2
     order by asked_at desc
     limit 20
"""
"""The slow simple statement: without an index on user_id it reads a million rows to give twenty."""

LEADERBOARD = """
    select user_id, count(*) as questions, avg(answer_ms) as mean_answer_ms
      from public.question_history
     where room_id = $1
       and asked_at > now() - interval '40 days'
     group by user_id
     order by questions desc
     limit 10
"""
"""The statement that takes most of the load: quick by itself, and asked for again and again."""


OWNER = "select display_name from public.users where id = $1"
"""Asked once for each row that a page of rooms returned."""

INVITATION = "select room_id, expires_at from public.invitations where code = $1"
"""Quick by its index on code, until a deployment drops that."""

CONCATENATED = "select id, name from public.presets where user_id = {user_id} and name = 'preset {number}'"
"""Values written into the text, where somebody's input might go one day."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One planted fault; the report must hold a finding of this rule about this subject."""

    rule: str
    subject: str
    made_by: str
    count: int | None = None
    """What `evidence.count` must say, where near misses stand beside the fault."""


def fingerprint(sql: str) -> str:
    """Give what a statement is called in findings."""
    statement = read_statement(sql)
    if statement is None:
        raise MonitorError("demo: the parser cannot read one of its statements; install another pgparse")
    return statement.fingerprint


PLANTED: tuple[Fault, ...] = (
    Fault(
        rule="statements.slow",
        subject=fingerprint(SEARCH),
        made_by="web_api searches a person's questions by user_id, which has no index (turns.search)",
    ),
    Fault(
        rule="statements.load",
        subject=fingerprint(LEADERBOARD),
        made_by="web_api polls the leaderboards of the largest rooms (turns.leaderboard)",
    ),
    Fault(
        rule="statements.n_plus_one",
        subject=fingerprint(OWNER),
        made_by="the page of rooms asks for the owner of each room by itself (turns.overview)",
    ),
    Fault(
        rule="statements.unparameterised",
        subject=fingerprint(CONCATENATED.format(user_id=1, number=1)),
        made_by="the admin page writes values into its statement's text (turns.concatenate)",
    ),
    Fault(
        rule="statements.regressed",
        subject=fingerprint(INVITATION),
        made_by="a deployment drops the index by which invitations are found (turns.deploy); earlier hours: past",
    ),
    Fault(
        rule="tables.sequential_scans",
        subject="public.question_history",
        made_by="the same search reads all of question_history each time (turns.search)",
    ),
    Fault(
        rule="index.missing",
        subject="public.question_history (user_id, asked_at)",
        made_by="the same search: a planner of our own says what an index would bring (turns.search)",
    ),
    Fault(
        rule="index.missing",
        subject="public.invitations (code)",
        made_by="what the deployment drops is missed (turns.deploy)",
    ),
    Fault(
        rule="index.missing_foreign_key",
        subject="public.question_history (user_id)",
        made_by="no index leads with user_id (rooms.sql)",
    ),
    Fault(
        rule="index.missing_foreign_key",
        subject="public.workflows (preset_id)",
        made_by="no index leads with preset_id (rooms.sql)",
    ),
    Fault(
        rule="sessions.idle_in_transaction",
        subject="worker (workflow-worker)",
        made_by="a worker updates a row, and neither commits nor rolls back (turns.leak)",
    ),
    Fault(
        rule="sessions.long_transaction",
        subject="worker (history-export)",
        made_by="an export reads page after page in one transaction (turns.export)",
    ),
    Fault(
        rule="sessions.no_timeouts",
        subject="worker",
        made_by="the one role that has no timeouts (schema)",
    ),
    Fault(
        rule="pool.saturation",
        subject="reporting",
        made_by="its pool of 9 is never given back, of the role's CONNECTION LIMIT 10 (turns.report)",
    ),
    Fault(
        rule="auth_links.orphaned_profile",
        subject="public.users (auth_user_id)",
        made_by="7 profiles whose auth user was deleted (people.sql)",
        count=7,
    ),
    Fault(
        rule="auth_links.signup_trigger",
        subject="auth.users (id)",
        made_by="profiles are written by the application after the sign-up, not with it (people.sql)",
    ),
    Fault(
        rule="auth_links.no_foreign_key",
        subject="public.users (auth_user_id)",
        made_by="nothing binds profiles to auth.users, or there were no orphans (people.sql)",
    ),
    Fault(
        rule="auth_links.missing_profile",
        subject="public.users (auth_user_id)",
        made_by="12 confirmed users for whom sign-up made no profile (people.sql)",
        count=12,
    ),
    Fault(
        rule="auth_links.email_copy",
        subject="public.users (auth_user_id)",
        made_by="profiles repeat the address of auth.users (people.sql)",
    ),
    Fault(
        rule="errors.rollback_ratio",
        subject=DATABASE,
        made_by="web_api inserts presets that exist already (turns.duplicate)",
    ),
    Fault(
        rule="errors.deadlocks",
        subject=DATABASE,
        made_by="two workers lock the same two rooms in opposite order (turns.deadlock)",
    ),
)

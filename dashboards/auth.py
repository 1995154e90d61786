"""Auth and security: users and the rows that belong to them, sign-ups, sessions, and what the sweeps have seen."""

from dashboards.findings import findings
from dashboards.frame import Board, Section
from dashboards.links import FINDINGS
from dashboards.panels import RED, THIRD, YELLOW, Column, Graph, Panel, Sheet
from dashboards.promql import AROUND, HERE, PLACE, SERVER

SECURITY = "(auth|auth_links|roles|rls|privileges|connections|functions|views|extensions|settings)[.].*|.*secret.*"
"""The families of rules that are about accounts and rights; some come with later versions."""
LINK = f"{PLACE} {{{{link}}}}"


def auth() -> Board:
    """Give the board."""
    return Board(
        name="auth",
        title="auth and security",
        about="GoTrue's users, the rows that belong to them, sessions, rights and settings.",
        sections=(
            Section(title="What is wrong", panels=findings(SECURITY)),
            Section(title="Users and their rows", panels=_links()),
            Section(title="Accounts", panels=_accounts()),
            Section(title="How connections come, and what was seen", panels=(*_ways(), _unknown())),
            Section(title="Sweeps of large tables", panels=_sweeps()),
        ),
    )


def _links() -> tuple[Panel, ...]:
    return (
        Graph(
            title="Orphans",
            about="Rows whose user is gone (profile), and users without their row (user).",
            queries={f"{LINK} {{{{direction}}}}": f"pgarchitect_auth_links_orphans{{{HERE}}}"},
            limits={1: RED},
            links=(FINDINGS,),
        ),
        Graph(
            title="Rows that disagree with their user",
            about="Of users that are deleted or banned, with another address, malformed, or more than one of a user.",
            queries={f"{LINK} {{{{state}}}}": f"pgarchitect_auth_states_rows{{{HERE}}}"},
            links=(FINDINGS,),
        ),
    )


def _accounts() -> tuple[Panel, ...]:
    users = f"increase(pgarchitect_auth_signups_users_total{{{HERE}}}[10m])"
    sessions = f"increase(pgarchitect_auth_signups_sessions_total{{{HERE}}}[10m])"
    return (
        Graph(
            title="Accounts by state",
            about="Each is counted once; deleted beats banned beats the others.",
            queries={"{{state}}": f"sum by (state) (pgarchitect_auth_accounts_users{{{HERE}}})"},
            width=THIRD,
            stacked=True,
        ),
        Graph(
            title="Sign-ups and sign-ins",
            about="In ten minutes: users and sessions that were inserted, those that failed after that too.",
            queries={f"{PLACE} sign-ups": users, f"{PLACE} sign-ins": sessions},
            width=THIRD,
            links=(FINDINGS,),
        ),
        Graph(
            title="Sessions and tokens",
            about="Live, past their end, revoked. Those that only grow: nobody cleans up.",
            queries={
                f"{PLACE} {{{{table}}}} {what}": f"pgarchitect_auth_sessions_{what}{{{HERE}}}"
                for what in ("live", "expired", "revoked")
            },
            width=THIRD,
            links=(FINDINGS,),
        ),
    )


def _ways() -> tuple[Panel, ...]:
    came = f"sum by (target, client) (pgarchitect_pool_client_sessions{{{SERVER}}})"
    return (
        Graph(
            title="How sessions came",
            about="Client sessions by TCP, or by a socket of the server's own machine.",
            queries={"{{target}} {{client}}": came},
            stacked=True,
        ),
    )


def _unknown() -> Sheet:
    by = "sum by (rule, needs, target, database)"
    return Sheet(
        title="What could not be judged",
        about="Rules about accounts, rights and settings that lack rights, history or a setting. Not knowing is not "
        "the same as all well.",
        keys=("rule", "needs", "target", "database"),
        columns={
            "subjects": Column(
                expr=f'{by} (pgarchitect_not_evaluated{{{AROUND}, rule=~"{SECURITY}"}})', limits={1: YELLOW}
            )
        },
    )


def _sweeps() -> tuple[Panel, ...]:
    return (
        Graph(
            title="Progress",
            about="The share of a table that the present turn has looked at; 1: it rests.",
            queries=_of_sweeps("progress_ratio"),
            unit="percentunit",
        ),
        Graph(
            title="Age of the last full look",
            about="How old a fault may be that no turn has met yet.",
            queries=_of_sweeps("age_seconds"),
            unit="s",
        ),
    )


def _of_sweeps(what: str) -> dict[str, str]:
    names = {
        f"{LINK} orphans": "auth_links",
        f"{LINK} states": "auth_states",
        f"{PLACE} accounts": "auth_accounts",
        f"{PLACE} {{{{table}}}}": "auth_sessions",
    }
    return {legend: f"pgarchitect_{probe}_sweep_{what}{{{HERE}}}" for legend, probe in names.items()}

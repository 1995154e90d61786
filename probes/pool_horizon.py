"""What else the pool probe counts: who holds the oldest xmin, what active sessions wait for, how clients come."""

from collections.abc import Iterator, Mapping, Sequence

from monitor.probe import Aside, Kind, Measurement, Metric, Row, number, of_kind
from probes.pool_groups import safe

HOLDERS: Mapping[str, str] = {
    "session": "session of",
    "prepared": "prepared transaction",
    "slot": "replication slot",
    "slot_catalog": "replication slot (catalogue only)",
    "standby": "standby",
}
"""Who can keep vacuum from removing dead rows, and what is said before its name."""
LEAST: Mapping[str, int] = {"prepared": 0, "standby": 1, "slot": 1}
"""Who can hold back rows beside a session, and by how much more it has to be behind to do so by itself."""

HORIZON = Aside(
    name="horizon",
    labels=("holder",),
    metrics=(
        Metric(
            "oldest_xmin_age_transactions",
            Kind.GAUGE,
            "Transactions since the oldest xmin that a session, prepared transaction, slot or standby holds; 0: none.",
        ),
    ),
)
WAITS = Aside(
    name="waits",
    labels=("wait_event_type",),
    metrics=(Metric("active_sessions", Kind.GAUGE, "Active client sessions by what they wait for; none: they run."),),
)
CLIENTS = Aside(
    name="clients",
    labels=("client",),
    metrics=(Metric("client_sessions", Kind.GAUGE, "Client sessions by how they came: tcp, or a local socket."),),
)


def asides(seen: Measurement) -> Mapping[str, Sequence[Row]]:
    """Give the rows under labels of their own; each holder and kind of client is always there."""
    ages = {str(row["state"]): row["held_transactions"] or 0 for row in of_kind(seen.rows, "horizon")}
    clients = {str(row["state"]): row["sessions"] for row in of_kind(seen.rows, "client")}
    return {
        HORIZON.name: [{"holder": name, "oldest_xmin_age_transactions": ages.get(name, 0)} for name in HOLDERS],
        WAITS.name: [
            {"wait_event_type": row["state"], "active_sessions": row["sessions"]} for row in of_kind(seen.rows, "waits")
        ],
        CLIENTS.name: [{"client": name, "client_sessions": clients.get(name, 0)} for name in ("local", "tcp")],
    }


def holders(seen: Measurement) -> Iterator[Row]:
    """Give who holds the oldest xmin of each kind, with safe names, the oldest first."""
    rows = (row for row in of_kind(seen.rows, "horizon") if row["held_transactions"] is not None)
    for row in sorted(rows, key=lambda row: -number(row, "held_transactions")):
        yield {**row, "application": safe(row["application"])}


def named(row: Row) -> str:
    """Name a holder: `replication slot left_behind`."""
    whose = f"{row['role']} ({row['application']})" if row["state"] == "session" else str(row["application"])
    return f"{HOLDERS[str(row['state'])]} {whose}"


def older(seen: Measurement, behind: int | None) -> Row | None:
    """Give what else keeps dead rows of tables for at least as long: ending the transactions alone frees nothing.

    A standby repeats the oldest transaction of its primary, so that it stays behind by itself only if it is further.
    """
    if behind is None:
        return None
    others = (row for row in of_kind(seen.rows, "horizon") if row["state"] in LEAST)
    return next((row for row in others if number(row, "held_transactions") >= behind + LEAST[str(row["state"])]), None)

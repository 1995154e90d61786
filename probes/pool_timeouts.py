"""Timeouts as settings of a role: the statement that sets one, and the one that puts back what was there."""

from collections.abc import Sequence

from monitor.probe import Remedy, identifier, literal

IDLE = "idle_in_transaction_session_timeout"


def setting(role: str, database: str, name: str, seconds: float, before: object = None) -> Remedy:
    """Set a timeout for a role's new sessions, in one database or (no name) in all; `before` is its value there now."""
    where = f" in database {identifier(database)}" if database else ""
    whose = f"alter role {identifier(role)}{where}"
    undo = f"reset {name}" if before is None else f"set {name} = {literal(str(before))}"
    value = literal(f"{max(round(seconds), 1)}s")
    return Remedy(sql=(f"{whose} set {name} = {value}",), rollback=(f"{whose} {undo}",))


def together(remedies: Sequence[Remedy], caution: str) -> Remedy:
    """Make one remedy of several; they are undone in the opposite order."""
    return Remedy(
        sql=tuple(each for remedy in remedies for each in remedy.sql),
        rollback=tuple(each for remedy in reversed(remedies) for each in reversed(remedy.rollback)),
        caution=caution,
    )

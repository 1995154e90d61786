"""What one run of a sweep brings along: session, sight, shape and grace; and the ways that are open with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.probe import Session, identifier
from probes.auth_links_discovery import Column
from probes.auth_links_shape import Shape
from probes.auth_links_sight import LinkEye

WORTH_KEYS = 20_000_000
"""Of more keys, a turn takes longer than a quarter of an hour."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What one run brings along."""

    session: Session
    eye: LinkEye
    column: Column
    shape: Shape
    grace: float
    newest: bool = True
    """Whether our sight reaches to looking at the newest first."""

    @property
    def clocks(self) -> Mapping[str, float]:
        """The ways by which the newest can be looked at: an index leads with the time of their making; the clocks."""
        shape, keys = self.shape, self.ways == ("keys",)
        rows = {"new_keys" if keys else "new_rows": shape.rows_clock}
        users = {"new_users": shape.users_clock if keys and self.column.of_everybody else None}
        return {way: clock for way, clock in {**rows, **users}.items() if clock is not None and self.newest}

    @property
    def index_helps(self) -> bool:
        """Tell whether the sweep takes so long that an index for the newest is worth its writes."""
        return self.shape.keys > WORTH_KEYS

    @property
    def new_wait(self) -> str:
        """Say whether new rows wait for the sweep; "" where they are looked at first."""
        if self.clocks.keys() - {"new_users"}:
            return ""
        if self.shape.rows_clock is not None:
            return "new rows wait for the sweep: functions lent by an older version cannot look at them"
        created = f"index begins with {identifier(self.column.created)}" if self.column.created else "time is known"
        return f"new rows wait for the sweep: no {created}"

    @property
    def ways(self) -> Sequence[str]:
        """The ways a turn goes, one after the other."""
        if self.shape.uuid and self.shape.indexed:
            return ("keys",)
        return ("blocks", "users") if self.shape.indexed and self.column.of_everybody else ("blocks",)

    @property
    def users_unseen(self) -> str:
        """What hides users without a row; "" where they can be seen."""
        if self.shape.indexed or not self.column.of_everybody:
            return ""
        return f"users without a row are not looked for: no index begins with {self.column.subject}"

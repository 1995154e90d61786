"""What the catalogue says of a link's table: its type and indexes, a copy of the address, and whether it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.probe import Needs, Row, Session, sight_states
from probes.auth_links_discovery import Column, Place
from probes.auth_links_known import Known
from probes.auth_sight import as_list


@dataclass(frozen=True, kw_only=True)
class Traits:
    """A link's table, as the catalogue describes it."""

    uuid: bool
    single: bool
    """A unique index on the link alone."""
    indexed: bool
    """An index whose first key is the link."""
    shared: bool
    """A unique index of the link with other columns: many rows a user, by design."""
    said: str | None
    """Of the declared column of addresses: `text`, `other`, or None where it is not there."""
    email: str | None
    """A column that is named like an address."""
    gone: tuple[str, ...]
    """Columns that mark a row as deleted or anonymised."""
    state: object
    """A hash of the counters of its table and of auth.users."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """A link with all that is known of it before a row is read."""

    known: Known
    traits: Traits
    email: str | None = None
    """The column that is taken for a copy of the user's address."""
    wrong: str = ""
    """What is wrong with the declared one."""

    @property
    def column(self) -> Column:
        return self.known.column

    @property
    def stated(self) -> bool:
        """Tell whether the configuration names the column of addresses."""
        return self.column.declared is not None and self.column.declared.email is not None

    @property
    def one_per_user(self) -> bool:
        """Tell whether more than one row a user is a fault: declared so, or a table of profiles by its looks."""
        if self.column.declared is not None:
            return self.column.declared.one_per_user
        custom = self.column.profile_like and not self.traits.shared
        return custom and not self.column.table.lower().endswith(("member", "members"))

    @property
    def may_double(self) -> bool:
        """Tell whether it can have two rows a user: a unique index forbids it, but not another spelling of a text."""
        return self.one_per_user and not (self.traits.single and self.traits.uuid)

    @property
    def name(self) -> str:
        """Name the sweep of it; another column of addresses is another sweep."""
        return f"{self.column.subject} {self.email or '-'} {self.may_double}"


async def links_of(session: Session, schema: str, known: Sequence[Known]) -> list[Link]:
    """Describe all links; one that was dropped meanwhile is left out."""
    columns = [each.column for each in known]
    places: list[list[str]] = [[column.place[part] for column in columns] for part in range(3)]
    said = [column.declared.email if column.declared else None for column in columns]
    rows = await session.fetch(sight_states.DESCRIBED, schema, *places, said)
    described = [(known[_int(row["nr"]) - 1], _traits(row)) for row in rows]
    chosen = _chosen(described)
    return [_link(each, traits, chosen.get(each.column.place)) for each, traits in described]


def _chosen(described: Sequence[tuple[Known, Traits]]) -> Mapping[Place, str]:
    """Give for each table the one link whose user an address named so is taken to be of."""
    best: dict[tuple[str, str], tuple[tuple[bool, ...], Place, str]] = {}
    for known, traits in described:
        column = known.column
        said = column.declared is not None and (column.declared.one_per_user or column.declared.every_user)
        if traits.email is None or not (traits.single or said or (column.profile_like and not traits.shared)):
            continue
        rank = (said, traits.single, column.declared is not None, column.keyed, column.telling)
        table = (column.schema, column.table)
        if table not in best or rank > best[table][0]:
            best[table] = rank, column.place, traits.email
    return {place: email for _, place, email in best.values()}


def _link(known: Known, traits: Traits, found: str | None) -> Link:
    declared = known.column.declared
    if declared is None or declared.email is None:
        return Link(known=known, traits=traits, email=found)
    if traits.said == "text":
        return Link(known=known, traits=traits, email=declared.email)
    what = "does not have" if traits.said is None else "has as something else than text"
    return Link(known=known, traits=traits, wrong=f"auth.links names email {declared.email}, which it {what}")


def _traits(row: Row) -> Traits:
    return Traits(
        uuid=bool(row["is_uuid"]),
        single=bool(row["single"]),
        indexed=bool(row["indexed"]),
        shared=bool(row["shared"]),
        said=None if row["said"] is None else str(row["said"]),
        email=None if row["email"] is None else str(row["email"]),
        gone=tuple(str(name) for name in as_list(row["gone"])),
        state=row["state"],
    )


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0


@dataclass(frozen=True, kw_only=True)
class StateReading:
    """What the rows of a link showed so far; `reason` and `needs` say why they showed nothing."""

    link: Link
    counts: Mapping[str, int] | None = None
    days: Mapping[int, int] | None = None
    """Rows of deleted users by the day of the deletion since 1970; None where not all of the table is known so."""
    share: float = 0.0
    whole: bool = False
    turned_at: float | None = None
    """When the last full turn ended, in seconds since 1970."""
    has_deletion: bool = True
    """False where this level of GoTrue deletes no user softly."""
    unseen: str = ""
    """Why addresses were not compared."""
    undoubled: str = ""
    """Why users with two rows were not looked for."""
    reason: str = ""
    needs: Needs | None = None
    common: bool = False
    """The reason is that of all links."""

    @property
    def column(self) -> Column:
        return self.link.column

    def count(self, name: str) -> int:
        """Give how many rows are of a state, as far as was looked."""
        return (self.counts or {}).get(name, 0)

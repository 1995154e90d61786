"""Whole alerts, notices and outbox entries as hypothesis draws them, and what a flood writes into the store."""

from dataclasses import replace

from hypothesis import strategies as st

from monitor.model import Ack, Alert, Finding, Severity
from monitor.notice import Digest, Notice
from monitor.proof import Better, Cure, Outcome, Proof, Sign, Thing
from monitor.store.records import LedgerWrite, OutboxEntry, OutboxState, ToldRow, Transition
from tests.alerts import alerts, at, findings, firing, moments


def acks() -> st.SearchStrategy[Ack]:
    return st.builds(Ack, author=st.text(), comment=st.text(), at=moments(), severity=st.sampled_from(Severity))


def whole_alerts() -> st.SearchStrategy[Alert]:
    """Alerts as the ledger holds them."""
    found = st.builds(_provable, findings(), st.none() | signs(), st.none() | proofs())
    return st.builds(
        replace,
        alerts(),
        finding=found,
        acked=st.none() | acks(),
        ended_by=st.text(),
        cure=st.none() | cures(),
        labels=labels(),
    )


def _provable(finding: Finding, sign: Sign | None, proof: Proof | None) -> Finding:
    return replace(finding, remedy=replace(finding.remedy, sign=sign), proof=proof)


def names() -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.text(), max_size=2).map(tuple)


def signs() -> st.SearchStrategy[Sign]:
    return st.builds(Sign, kind=st.text(), relation=st.text(), columns=names(), before=names(), others=names())


def proofs() -> st.SearchStrategy[Proof]:
    numbers = st.floats(allow_nan=False)
    return st.builds(
        Proof,
        probe=st.text(),
        metric=st.text(),
        labels=labels(),
        value=numbers,
        what=st.text(),
        better=st.sampled_from(Better),
        pace=numbers,
    )


def cures() -> st.SearchStrategy[Cure]:
    uses = st.none() | st.integers(0, 2**62).map(float)
    thing = st.builds(
        Thing, kind=st.text(), relation=st.text(), name=st.text(), columns=names(), uses=uses, undo=st.text()
    )
    return st.builds(
        Cure,
        at=moments(),
        sign=signs(),
        thing=thing,
        proof=st.none() | proofs(),
        gone=st.booleans(),
        outcome=st.none() | st.sampled_from(Outcome),
    )


def labels() -> st.SearchStrategy[dict[str, str]]:
    return st.dictionaries(st.text(), st.text(), max_size=3)


def labelled_alerts() -> st.SearchStrategy[Alert]:
    """Alerts as they go out to people."""
    return st.builds(replace, whole_alerts(), labels=labels())


def notices() -> st.SearchStrategy[Notice]:
    return st.builds(
        Notice,
        receiver=st.text(),
        group=st.text(),
        labels=labels(),
        alerts=st.lists(labelled_alerts(), max_size=2).map(tuple),
        news=st.frozensets(st.text(), max_size=3),
        created_at=moments(),
        key=st.text(),
        digest=st.none() | digests(),
    )


def digests() -> st.SearchStrategy[Digest]:
    numbers = st.integers(0, 2**31 - 1)
    return st.builds(Digest, title=st.text(), since=moments(), new=numbers, still=numbers, over=numbers, fixed=numbers)


def entries() -> st.SearchStrategy[OutboxEntry]:
    return st.builds(
        OutboxEntry,
        id=st.text(),
        due_at=moments(),
        tries=st.integers(0, 2**31 - 1),
        state=st.just(OutboxState.WAITING),
        why=st.text(),
        notice=notices(),
    )


def marks() -> st.SearchStrategy[ToldRow]:
    fingerprints = st.text("0123456789abcdef", min_size=16, max_size=16)
    return st.builds(
        ToldRow, receiver=st.text(), group=st.text(), fingerprint=fingerprints, status=st.text(), at=moments()
    )


def notice(*alerts: Alert, receiver: str = "ops", group: str = "shop", seconds: float = 0) -> Notice:
    return Notice(
        receiver=receiver,
        group=group,
        labels={"target": "shop"},
        alerts=alerts or (firing(),),
        news=frozenset(alert.finding.fingerprint for alert in alerts),
        created_at=at(seconds),
        key=f"{receiver}-{group}-{seconds}",
    )


def entry(name: str = "one", seconds: float = 0, **changed: object) -> OutboxEntry:
    made = OutboxEntry(id=name, due_at=at(seconds), notice=notice(seconds=seconds))
    return replace(made, **changed)  # type: ignore[arg-type]


def mark(subject: str = "shop", group: str = "shop", status: str = "firing:warning") -> ToldRow:
    fingerprint = firing(subject).finding.fingerprint
    return ToldRow(receiver="ops", group=group, fingerprint=fingerprint, status=status, at=at(1))


def step(subject: str = "shop", state: str = "firing", seconds: float = 0) -> Transition:
    fingerprint = firing(subject).finding.fingerprint
    return Transition(fingerprint=fingerprint, at=at(seconds), state=state, severity="warning", why="it is so")


def flood(size: int) -> LedgerWrite:
    """So many alerts begin to fire at once, and twenty notices tell of them."""
    many = [firing(f"public.table_{number}") for number in range(size)]
    return LedgerWrite(
        alerts=many,
        transitions=[step(alert.finding.subject) for alert in many],
        told=[mark(alert.finding.subject, group=f"group {number % 20}") for number, alert in enumerate(many)],
        outbox=[
            OutboxEntry(id=f"{part:02}", due_at=at(part), notice=notice(*many[part::20], group=f"group {part}"))
            for part in range(20)
        ],
    )

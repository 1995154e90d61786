"""The replication probe on real primaries and standbys: each rule sick, cured, near miss; promotion, a cascade."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from monitor.embedded import EmbeddedServer
from monitor.errors import Needs
from monitor.measurement import number
from monitor.model import Finding, Result, Severity
from probes.replication import PROBE
from probes.replication_lost import StandbyLost
from probes.replication_rules import Lag
from probes.replication_slot_rules import RecoveryMisfit, Slot
from tests.conftest import absent
from tests.database import Cluster, Database
from tests.looking import Eye
from tests.standby import follows, on, primary_of, standby_of, until
from tests.versions import NEWEST, binaries

WRITE = "insert into filler select repeat('x', 1000) from generate_series(1, 200)"


@dataclass(frozen=True, kw_only=True)
class Servers:
    """A primary and a standby of it, which run as long as the module's tests."""

    cluster: Cluster
    standby: EmbeddedServer
    major: int


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Both as their superuser sees them, for one test."""

    primary: Database
    standby: Database
    servers: Servers


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[14, NEWEST], ids=lambda major: f"pg{major}")
async def servers(request: pytest.FixtureRequest) -> AsyncIterator[Servers]:
    """A streaming standby of the oldest and of the newest version."""
    major = int(request.param)
    if binaries(major) is None:
        absent(f"PostgreSQL {major} is not fetched: python -m tests.versions fetch")
    async with primary_of(major) as cluster:
        owner = on(cluster.server, cluster.server)
        await owner.execute("create table filler (text text)")
        settings = {"max_standby_streaming_delay": "0", "wal_retrieve_retry_interval": "200ms"}
        async with standby_of(owner, cluster.server, major, name="one", settings=settings) as standby:
            await owner.close()
            yield Servers(cluster=cluster, standby=standby, major=major)


@pytest.fixture
async def pair(servers: Servers) -> AsyncIterator[Pair]:
    """Both ends, in step."""
    server = servers.cluster.server
    primary, standby = on(server, server), on(servers.standby, server)
    await follows(primary, "one")
    yield Pair(primary=primary, standby=standby, servers=servers)
    await standby.close()
    await primary.close()


def newest_only(pair: Pair) -> None:
    if pair.servers.major != NEWEST:
        pytest.skip("the same on each version; shown on the newest")


async def told(eye: Eye, *rules: Lag | StandbyLost) -> Finding:
    """Look until the rule accuses; fails when it does not."""
    found: list[Finding] = []

    async def accused() -> bool:
        found[:] = eye.findings(await eye.look(), *rules)
        return bool(found)

    await until(accused)
    return found[0]


async def quiet(eye: Eye, *rules: Lag | StandbyLost) -> None:
    """Look until the rule accuses no more; fails when it goes on."""

    async def silent() -> bool:
        return not eye.findings(await eye.look(), *rules)

    await until(silent)


async def test_both_ends_are_read_as_the_monitors_own_role(pair: Pair) -> None:
    """The primary shows its standby, the standby itself; in step neither is accused of anything."""
    monitor = await pair.primary.as_monitor()
    await follows(pair.primary, "one")
    same = Database(pair.standby.server, monitor.name, monitor.user, monitor._password)
    async with monitor.eye(PROBE) as near, same.eye(PROBE) as far:
        for eye in (near, far):
            for _ in range(2):
                seen = await eye.look()
                assert seen.result is Result.OK, seen.reason
                assert eye.findings(seen) == []
        (there,) = (await near.look()).asides["standby"]
        (own,) = (await far.look()).exposed or ()
    assert (there["application"], there["standby_streaming"]) == ("one", 1)
    assert (own["in_recovery"], own["deaf_seconds"], own["replay_paused"]) == (True, 0.0, 0)
    await pair.primary.close()


async def test_who_may_not_see_standbys_hears_that_and_no_all_clear(pair: Pair) -> None:
    """Without pg_read_all_stats the views show rows of NULLs."""
    nobody = await pair.primary.as_monitor()
    await pair.primary.execute(f"revoke pg_monitor from {nobody.user}")
    async with nobody.eye(PROBE) as eye:
        seen = await eye.look()
        for rule in (Lag(), StandbyLost()):
            assert Needs.RIGHTS in {each.needs for each in eye.unsaid(seen, rule)}
        assert seen.asides["standby"] == []


async def test_paused_replay_is_named_as_the_cause_and_the_remedy_ends_it(pair: Pair) -> None:
    """Sick at both ends. Near miss: the default limits. Cured by the printed statement."""
    rule = Lag(warning_seconds=0.2)
    async with pair.primary.eye(PROBE) as near, pair.standby.eye(PROBE) as far:
        await near.look()
        await far.look()
        await pair.standby.execute("select pg_wal_replay_pause()")
        await pair.primary.execute(WRITE)
        finding = await told(far, rule)
        assert "replay is paused" in finding.summary
        assert (finding.object.kind, finding.subject) == ("standby", "test")
        assert (await told(near, rule)).subject == finding.evidence["known_as"] == "one"
        assert near.findings(await near.look()) == far.findings(await far.look()) == []
        await pair.standby.apply(finding.remedy)
        await quiet(far, rule)
        await quiet(near, rule)


async def test_a_standby_that_hangs_is_told_and_one_that_goes_on_is_not(pair: Pair) -> None:
    """SIGSTOP to its receiver: the server's own lag figures freeze, ours go on. Cured by SIGCONT."""
    rule = Lag(silent_seconds=0.3)
    pid = await pair.standby.value("select pid from pg_stat_wal_receiver")
    async with pair.primary.eye(PROBE) as eye:
        await eye.look()
        os.kill(pid, signal.SIGSTOP)
        try:
            await pair.primary.execute(WRITE)
            finding = await told(eye, rule)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert (finding.subject, finding.severity) == ("one", Severity.WARNING)
        assert "does not answer" in finding.summary
        await quiet(eye, rule)


async def test_a_standby_that_left_is_missed_until_it_is_back(pair: Pair) -> None:
    """Sick: it is stopped. Near miss: it had not stood for long. Cured: it is started again; it hears its primary."""
    rule = StandbyLost(after=0.2, settled=0)
    async with pair.primary.eye(PROBE) as eye:
        await eye.look()
        await pair.standby.close()
        await pair.standby.server.stop()
        finding = await told(eye, rule)
        assert (finding.subject, finding.severity) == ("one", Severity.WARNING)
        assert eye.findings(await eye.look(), StandbyLost(after=0.2)) == []
        await pair.standby.server.start()
        await quiet(eye, rule)


async def test_commits_that_wait_for_a_standby_are_critical_at_once(pair: Pair) -> None:
    """Sick: it is named in synchronous_standby_names and gone. Cured by the way out that is named."""
    newest_only(pair)
    async with pair.primary.eye(PROBE) as eye:
        await pair.primary.execute("alter system set synchronous_standby_names = 'one'")
        await pair.primary.execute("select pg_reload_conf()")
        rule = StandbyLost(blocked_after=0.1)
        try:
            await until(lambda: pair.primary.value("select sync_state = 'sync' from pg_stat_replication"))
            assert eye.findings(await eye.look(), rule) == []
            await pair.standby.close()
            await pair.standby.server.stop()
            finding = await told(eye, rule)
            assert (finding.subject, finding.severity) == ("one", Severity.CRITICAL)
            async with pair.primary.eye(PROBE) as fresh:  # one that never saw the standby
                assert (await told(fresh, rule)).subject == "synchronous_standby_names"
        finally:
            await pair.primary.execute("alter system reset synchronous_standby_names")
            await pair.primary.execute("select pg_reload_conf()")
            await pair.standby.server.start()
        await quiet(eye, rule)


async def test_a_slot_left_behind_is_found_and_the_remedy_mends_it(pair: Pair) -> None:
    """Sick: nobody reads it. Near miss: it keeps little. Cured by the printed drop; the rollback brings it back."""
    await pair.primary.execute("select pg_create_physical_replication_slot('left_behind', true)")
    await pair.primary.execute(WRITE)
    async with pair.primary.eye(PROBE) as eye:
        seen = await eye.look()
        (finding,) = eye.findings(seen, Slot(warning_bytes=1000))
        assert (finding.subject, finding.object.kind) == ("left_behind", "replication_slot")
        assert eye.findings(seen) == []
        (row,) = seen.asides["slot"]
        assert (row["slot_active"], row["slot_lost"]) == (0, 0)
        await pair.primary.apply(finding.remedy)
        assert eye.findings(await eye.look(), Slot(warning_bytes=0)) == []
    for statement in finding.remedy.rollback:
        await pair.primary.execute(statement)
    assert await pair.primary.value("select slot_name from pg_replication_slots") == "left_behind"
    await pair.primary.apply(finding.remedy)


async def test_dropping_a_logical_slot_is_left_to_people(pair: Pair) -> None:
    """Its subscriber would have to be copied anew: the statement stands in the caution only."""
    await pair.primary.execute("select pg_create_logical_replication_slot('audit', 'pgoutput')")
    await pair.primary.execute(WRITE)
    (finding,) = await pair.primary.judge(PROBE, Slot(warning_bytes=1000))
    assert finding.remedy.sql == ()
    assert "pg_drop_replication_slot('audit')" in finding.remedy.caution
    await pair.primary.execute("select pg_drop_replication_slot('audit')")


async def conflict(pair: Pair) -> bool:
    """Vacuum on the primary what a query on the standby still reads; tell whether that was cancelled."""
    await pair.primary.execute("create table if not exists short as select g from generate_series(1, 1000) g")
    await follows(pair.primary, "one")
    reader = await pair.standby.connect()
    await reader.execute("begin isolation level repeatable read; select count(*) from short")
    await asyncio.sleep(1.2)  # what the standby needs is told to the primary with its next status, once a second
    await pair.primary.execute("update short set g = g + 1")
    await pair.primary.execute("vacuum short")
    await pair.primary.execute(WRITE)  # a commit, with which the WAL is sent
    await follows(pair.primary, "one")
    lost = True
    try:
        await reader.execute("select count(*) from short")
        await reader.execute("commit")
        lost = False
    except Exception as error:  # noqa: BLE001 - which of two errors depends on the moment
        assert "conflict with recovery" in str(error) or reader.is_closed()  # noqa: PT017
    return lost


async def test_queries_that_recovery_cancels_are_told_with_the_setting_that_ends_it(pair: Pair) -> None:
    """Sick: one was cancelled for rows that vacuum removed. Limit: fewer than the count. Cured by the printed SQL."""
    async with pair.standby.eye(PROBE) as eye:
        await eye.look()
        assert await conflict(pair)
        found: list[Finding] = []

        async def counted() -> bool:
            found[:] = eye.findings(await eye.look(), RecoveryMisfit(count=1))
            return bool(found)

        await until(counted)
        assert eye.findings(await eye.look(), RecoveryMisfit(count=2)) == []
        (finding,) = found
        assert finding.evidence["causes"] == ["snapshot: 1"]
        await pair.standby.apply(finding.remedy)
        try:
            await until(lambda: pair.standby.value("select current_setting('hot_standby_feedback') = 'on'"))
            assert not await conflict(pair)
        finally:
            for statement in finding.remedy.rollback:
                await pair.standby.execute(statement)


async def test_a_cascaded_standby_is_seen_by_the_one_it_follows(pair: Pair) -> None:
    """What is sent on is compared with what was received; a logical subscriber of the primary is a subscription."""
    newest_only(pair)
    owner = pair.servers.cluster.server
    async with standby_of(pair.standby, owner, NEWEST, name="two") as second:
        await follows(pair.standby, "two")
        async with pair.standby.eye(PROBE) as eye:
            await eye.look()
            await pair.primary.execute(WRITE)
            seen = await eye.look()
            assert eye.findings(seen) == []
            (there,) = seen.asides["standby"]
            assert there["application"] == "two"
            await second.stop()
            assert (await told(eye, StandbyLost(after=0.1, settled=0))).subject == "two"


async def test_a_subscription_is_seen_from_both_ends(pair: Pair) -> None:
    """The sender is logical and judged by bytes only; the subscriber's worker counts."""
    newest_only(pair)
    primary = pair.primary
    await primary.execute("create database copy template template0")
    copy = on(primary.server, primary.server, "copy")
    await primary.execute("create table sent (id int primary key)")
    await copy.execute("create table sent (id int primary key)")
    await primary.execute("create publication everything for table sent")
    await primary.execute("select pg_create_logical_replication_slot('feed', 'pgoutput')")
    await copy.execute(
        f"create subscription feed connection '{primary.dsn}' publication everything with (create_slot = false)"
    )
    try:
        async with primary.eye(PROBE) as eye:

            async def works() -> bool:
                seen = await eye.look()
                senders = [row for row in seen.rows if row["kind"] == "standby" and row["logical"]]
                (own,) = seen.asides["subscription"]
                return bool(senders) and own["subscription_workers"] == 1

            await until(works)
            assert eye.findings(await eye.look()) == []
            await copy.execute("alter subscription feed disable")
            await until(lambda: primary.value("select not active from pg_replication_slots"))
            assert eye.findings(await eye.look(), StandbyLost(after=0, settled=0)) == []
    finally:
        await copy.execute("alter subscription feed disable")
        await copy.execute("alter subscription feed set (slot_name = none)")
        await copy.execute("drop subscription feed")
        await copy.close()
        await until(lambda: primary.value("select not active from pg_replication_slots"))
        await primary.execute("select pg_drop_replication_slot('feed')")
        await primary.execute("drop database copy")


async def test_a_promoted_standby_lags_no_more_and_nothing_jumps(pair: Pair) -> None:
    """Watched through its promotion: what was found ends, no growth is negative, the old primary misses it."""
    rule = Lag(warning_seconds=0.2)
    newest_only(pair)
    owner = pair.servers.cluster.server
    async with standby_of(pair.primary, owner, NEWEST, name="heir") as server:
        await follows(pair.primary, "heir")
        heir = on(server, owner)
        async with heir.eye(PROBE) as eye, pair.primary.eye(PROBE) as old:
            await eye.look()
            await old.look()
            await heir.execute("select pg_wal_replay_pause()")
            await pair.primary.execute(WRITE)
            await told(eye, rule)
            assert await heir.value("select pg_promote()")
            seen = await eye.look()
            assert eye.findings(seen, rule) == []
            (own,) = seen.exposed or ()
            assert (own["in_recovery"], own["lag_seconds"]) == (False, None)
            assert all(number(row, "conflicts") >= 0 for row in seen.grown or ())
            assert (await told(old, StandbyLost(after=0.1, settled=0))).subject == "heir"
        await heir.close()


@pytest.mark.soak
async def test_a_standby_that_stopped_is_told_by_the_second_reading(pair: Pair) -> None:
    """With the defaults, read every fifteen seconds: after two cycles at the latest."""
    newest_only(pair)
    async with pair.primary.eye(PROBE) as eye:
        await eye.look()
        pid = await pair.standby.value("select pid from pg_stat_wal_receiver")
        os.kill(pid, signal.SIGSTOP)
        try:
            await pair.primary.execute(WRITE)
            assert eye.findings(await eye.look()) == []
            await asyncio.sleep(PROBE.every)
            (finding,) = eye.findings(await eye.look())
        finally:
            os.kill(pid, signal.SIGCONT)
        assert finding.rule == "replication.lag"

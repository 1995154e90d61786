"""What the tests of links' structure share: a fresh GoTrue, the link that is declared, and who is accused of what."""

from monitor.model import Finding
from probes.auth_links import PROBE as LINKS
from probes.auth_links_discovery import Origin
from probes.auth_links_options import AuthOptions, Link
from probes.auth_structure import PROBE
from probes.auth_structure_shape import Shape
from tests.database import Database
from tests.looking import Eye

LINK = Link(table="public.users", column="auth_user_id", one_per_user=True)
DECLARED = AuthOptions(links=(LINK,))
UNDECLARED = AuthOptions()


def declared(table: str, column: str = "user_id", *, one: bool = False) -> AuthOptions:
    """Give options with one link."""
    return AuthOptions(links=(Link(table=table, column=column, one_per_user=one),))


async def accused(database: Database, options: AuthOptions = DECLARED) -> list[Finding]:
    """Give all that is found about structure."""
    return await database.judge(PROBE, options=options)


async def faults(database: Database, options: AuthOptions = DECLARED) -> set[str]:
    """Give the rules that accuse, without their family."""
    return {each.rule.partition(".")[2] for each in await accused(database, options)}


async def only(database: Database, rule: str, options: AuthOptions = DECLARED) -> Finding:
    """Give the one finding of a rule."""
    (finding,) = [each for each in await accused(database, options) if each.rule.endswith(f".{rule}")]
    return finding


async def cured(database: Database, rule: str, options: AuthOptions = DECLARED) -> Finding:
    """Run the printed remedy of a rule's one finding, which is gone then; give the finding."""
    finding = await only(database, rule, options)
    assert finding.remedy.sql
    await database.apply(finding.remedy)
    assert rule not in await faults(database, options)
    return finding


async def undone(database: Database, finding: Finding, options: AuthOptions = DECLARED) -> None:
    """Run the printed rollback: the finding is back."""
    for statement in finding.remedy.rollback:
        await database.execute(statement)
    assert finding.rule.partition(".")[2] in await faults(database, options)


async def with_samples(database: Database, options: AuthOptions = UNDECLARED) -> list[Finding]:
    """Look as the daemon does: first probe auth_links, which samples values, then ours."""
    async with database.eye(PROBE, options=options) as eye:
        await Eye(eye.server, eye.runner, LINKS, eye.database).look()
        return eye.findings(await eye.look())


def shape(table: str, column: str = "user_id") -> Shape:
    """Make a plain, undeclared link by hand."""
    return Shape(
        place=("public", table, column),
        origin=Origin.KEY,
        declared=None,
        partitioned=False,
        partition=False,
        rows=-1,
        type="uuid",
        base="uuid",
        not_null=False,
        keys=(),
        indexes=(),
        bound=False,
        leaves_keyed=False,
        leaves_indexed=False,
        constraints=(),
        major=18,
    )

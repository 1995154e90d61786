"""The repairs that findings about links offer: run as printed they mend, and they touch no more than was counted."""

from collections.abc import AsyncIterator

import pytest

from probes.auth_links import PROBE, MissingProfile, OrphanedProfile
from probes.auth_links_options import AuthOptions, Link
from tests.database import Cluster, Database
from tests.probes.people import found_auth, orphan, profiles, sign_up

OPTIONS = AuthOptions(links=(Link(table="public.users", column="auth_user_id", every_user=True),))
SPELLED = "update public.users set auth_user_id = '{' || upper(auth_user_id) || '}' where id % 2 = 0"


@pytest.fixture
async def auth(cluster: Cluster) -> AsyncIterator[Database]:
    """A fresh database with GoTrue's newest level."""
    async with cluster.fresh() as fresh:
        await found_auth(fresh)
        yield fresh


async def sick(database: Database, type_: str) -> None:
    """Three orphans and one that is young, two users without a row, a guest; texts in two spellings, one malformed."""
    await profiles(database, 25, "")
    await orphan(database, 3)
    await orphan(database, 1, created_at="now()")
    await sign_up(database, 2)
    await database.execute("insert into public.users (auth_user_id) values (null)")
    await database.execute(f"alter table public.users alter auth_user_id type {type_}")
    if type_ == "text":
        await database.execute(SPELLED)
        await database.execute("insert into public.users (auth_user_id) values ('none')")


async def cautions(database: Database) -> dict[str, str]:
    """Give what the two rules about rows advise."""
    async with database.eye(PROBE, options=OPTIONS, snapshot=True) as eye:
        found = eye.findings(await eye.look(), OrphanedProfile(), MissingProfile())
    return {each.rule: each.remedy.caution for each in found}


def between(text: str, before: str, after: str) -> str:
    """Cut a statement out of a sentence."""
    return text.partition(before)[2].partition(after)[0]


@pytest.mark.parametrize("type_", ["uuid", "text"])
async def test_the_repairs_mend_what_was_counted_and_no_more(auth: Database, type_: str) -> None:
    """Unlinking, deleting, inserting; each refuses when it meets more than was counted."""
    await sick(auth, type_)
    said = await cautions(auth)
    rows = await auth.value("select count(*) from public.users")
    unlink = between(said[OrphanedProfile.id], "guest's: ", "; or delete it: ")
    delete = between(said[OrphanedProfile.id], "; or delete it: ", ". Each changes")
    insert = between(said[MissingProfile.id], "have defaults: ", ". Then mend")
    await auth.execute(f"insert into public.users (auth_user_id) values (gen_random_uuid()::{type_})")
    await sign_up(auth, 1)
    for repair in (unlink, delete, insert):
        with pytest.raises(Exception, match="counted: nothing was changed"):
            await auth.execute(repair)
    assert await auth.value("select count(*) from public.users") == rows + 1
    await auth.execute("delete from public.users where id = (select max(id) from public.users)")
    await auth.execute("delete from auth.users where created_at = (select max(created_at) from auth.users)")
    await auth.execute(unlink)
    assert await auth.value("select count(*) from public.users where auth_user_id is null") == 4
    await auth.execute(insert)
    assert await cautions(auth) == {}


async def test_the_key_is_added_as_advised(auth: Database) -> None:
    """NOT VALID, then validated once the orphans are gone."""
    await sick(auth, "uuid")
    caution = (await cautions(auth))[OrphanedProfile.id]
    await auth.execute(between(caution, "Then keep it so: ", ", which locks"))
    await auth.execute(between(caution, "; or delete it: ", ". Each changes"))
    await auth.execute("delete from public.users where created_at > now() - interval '5 minutes'")
    await auth.execute("alter table public.users validate constraint users_auth_user_id_fkey")

"""Links' structure from the command line: asked for one rule only, what other probes know is there."""

from tests.database import Database
from tests.end_to_end.auth_reports import look
from tests.probes.people import found_auth, sign_up


async def test_a_rule_asked_for_alone_judges_links_known_by_their_values(database: Database) -> None:
    """Probe auth_links samples the column first, in the same report; nothing else is judged."""
    await found_auth(database)
    await sign_up(database, 25)
    await database.execute("create table public.notes as select id as user_id from auth.users; analyze")
    report = await look(database.dsn, "--rule", "auth_links.no_foreign_key")
    (finding,) = report.document["findings"]
    assert (finding["subject"], finding["severity"]) == ("public.notes (user_id)", "warning")
    assert finding["object"]["column"] == "user_id"

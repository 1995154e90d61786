"""Ids of an orphan, end to end: for who signs in, and for nobody and nothing else."""

import json
from pathlib import Path

import aiohttp
import pytest
from pytest_httpserver import HTTPServer

from tests.database import Database
from tests.end_to_end.auth_casts import Cast, printed
from tests.end_to_end.auth_reports import configuration
from tests.faults.harness import Daemon, daemon
from tests.patience import PATIENCE
from tests.probes.people import found_auth, orphan, profiles

RULE = "auth_links.orphaned_profile"
LINK = {"table": "public.users", "column": "auth_user_id", "created_at": "created_at"}
LINKS = "\n    - {table: public.users, column: auth_user_id, created_at: created_at}"
ANN, PASSWORD = "ann", "ann's own"
BY_ANN = {"Authorization": aiohttp.encode_basic_auth(ANN, PASSWORD)}


async def signed_in(running: Daemon, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession(headers=BY_ANN) as http, http.get(running.url + path) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize("most", [0, 3])
async def test_only_who_signs_in_sees_the_id(
    database: Database, tmp_path: Path, httpserver: HTTPServer, most: int
) -> None:
    """By the functions that `monitor grants` printed for this configuration; with 0 nobody sees any."""
    await found_auth(database)
    await profiles(database)
    await orphan(database)
    stranger = await database.value("select auth_user_id::text from public.users order by id desc limit 1")
    httpserver.expect_request("/hook").respond_with_data("ok")
    (tmp_path / "grants").mkdir()
    config = configuration(tmp_path / "grants", [database.name], LINKS, f"  sample_keys: {most}\n")
    cast, grants = Cast(database), await printed(database, "--config", str(config), ways=["functions"])
    assert ("auth_keys_rows" in grants["functions"]) == (most > 0)
    changed = {
        "auth": {"links": [LINK], "sample_keys": most},
        "log": {"level": "debug"},
        "rules": {RULE: {"hold": 0}},
        "probes": {"auth_links": {"every": "1s"}},
        "receivers": {"hook": {"webhook": {"url": httpserver.url_for("/hook")}}},
        "route": {"receiver": "hook", "group_wait": "0s"},
    }
    try:
        await cast.add("functions", grants=grants["functions"])
        dsns = {"shop": cast.dsns["functions"]}
        async with daemon(tmp_path, dsns, changed) as running:
            fired = await running.fires(RULE, 30 * PATIENCE)
            assert fired.get("keys", []) == [stranger][:most]  # from this machine, where nobody has to sign in
            page = await running.get(f"/findings/{fired['fingerprint']}")
            assert (stranger in page) == (most > 0)
            others = [await running.get(path) for path in ("/metrics", "/", "/findings", "/audit", "/api/v1/status")]
            running.config["web"]["basic_auth"] = {ANN: PASSWORD}
            await running.stop()
            await running.start()
            await running.watching()
            path = f"/api/v1/findings/{fired['fingerprint']}"
            status, known = await signed_in(running, path)
            assert status == 200
            assert json.loads(known).get("keys", []) == [stranger][:most]
            assert stranger not in await running.get(path)
            others += [(await signed_in(running, "/metrics"))[1], running.log]
    finally:
        await cast.drop()
    sent = [request.get_data(as_text=True) for request, _ in httpserver.log]
    assert sent
    assert [text for text in (*others, *sent) if stranger in text] == []

"""Calls the functions that lend counts with arguments of every sort, and judges the values and errors they give."""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import asyncpg

from tests.end_to_end.auth_reports import SECRET

FUNCTIONS = """
    select p.oid::regprocedure::text as signature, p.proname as name, p.prosecdef as definer, p.provolatile as volatile,
           coalesce(p.proconfig, '{}') as settings, p.proargnames[:p.pronargs] as names,
           array(select t::regtype::text from unnest(p.proargtypes) t) as types,
           array(select t::regtype::text from unnest(p.proallargtypes[p.pronargs + 1 :]) t) as gives,
           has_function_privilege('public', p.oid, 'execute') as open
      from pg_proc p
     where p.pronamespace = 'pgarchitect'::regnamespace
     order by 1
"""
NAMES = """
    select nspname::text from pg_namespace
    union select relname::text from pg_class
    union select attname::text from pg_attribute
    union select rolname::text from pg_roles
    union select typname::text from pg_type
    union select proname::text from pg_proc
    union select relkind::text from pg_class
"""
# Schema, table, column: links, GoTrue's own tables, catalogues with secrets, and what is none.
PLACES = (
    ("public", "profiles", "id"), ("public", "profiles", "email"), ("app", "accounts", "auth_user_id"),
    ("app", "tickets", "owner"), ("crm", "leads", "user_ref"), ("crm", "members", "user_id"),
    ("app", "events", "user_id"), ("Odd Schema", 'Acct "x"', "User Id"), ("exam_evil", "t", "user_id"),
    ("exam_evil", "v", "user_id"), ("exam_evil", "t", "word"), ("auth", "users", "id"), ("auth", "users", "email"),
    ("auth", "users", "encrypted_password"), ("auth", "users", "confirmation_token"),
    ("auth", "refresh_tokens", "token"), ("auth", "refresh_tokens", "user_id"), ("auth", "sessions", "user_id"),
    ("auth", "identities", "email"), ("auth", "one_time_tokens", "token_hash"), ("auth", "mfa_factors", "secret"),
    ("pg_catalog", "pg_authid", "rolpassword"), ("pg_catalog", "pg_stat_activity", "query"),
    ("public", "nothere", "id"),
    ("", "", ""), ("a'b", 'c"d', "e;--"), ("%s", "%1$I", "$1"),
)  # fmt: skip
TEXTS = ("auth", "public", "users", "id", "email", "created_at", "", "'", '"', "'; select email from auth.users; --",
         "%1$s", "decaf", "ffffffff-ffff-4fff-bfff-ffffffffffff", "2020-01-01", "0", "\\",
         "email)::int or (true")  # fmt: skip
LINKED = 8
# Where one may stand in a table, in each way of saying it (by key, row, number, beginning of a key, time); and parts.
POSITIONS = (
    (None, "", "00000000-0000-0000-0000-000000000000", "80000000-0000-0000-0000-000000000000"),
    (None, "(0,0)", "(0,1)", "(5,0)", "(9999,1)"),
    (None, "0", "1", "100"),
    (None, "", "7", "f"),
    (None, "0", "1500000000", "4102444800"),
)
PARTS = ("users", "identities", "sessions", "refresh_tokens", "mfa_factors", "one_time_tokens", "flow_state", "tokens",
         "factors", "flows")  # fmt: skip
WHOLE = ("0", "1", "-1", "2", "20", "300", "5000", "2147483647")
NUMBERS = ("0", "1", "-1", "2", "300", "5000", "9223372036854775807", "NaN", "1e9")
LISTS = ("{}", "{email}", "{id,created_at,email}", "{encrypted_password}", '{"a\'b"}', "{NULL}")


# A counter's name with a class of age or a hash, a row's place, the beginning of a key that is too short to be one.
HARMLESS = re.compile(r"[a-z_]*(:([0-9]{1,3}|[0-9a-f]{32}))?|\([0-9]+,[0-9]+\)|-?[0-9]+|[0-9a-f]{1,8}")


@dataclass(frozen=True)
class Answer:
    """What one call gave: rows as they are, or an error's every word."""

    function: str
    arguments: Sequence[str | None]
    rows: Sequence[Sequence[Any]]
    error: str


def place_of(name: str, place: Sequence[str]) -> str | None:
    """Give the part of a place that an argument of this name asks for."""
    for word, part in (("schema", 0), ("table", 1), ("column", 2)):
        if word in name:
            return place[part]
    return None


def sane(rng: random.Random, name: str, kind: str, place: Sequence[str], way: Sequence[str | None]) -> str | None:
    """Choose one argument as the monitor might, positions in one way."""
    if name == "in_auth":
        return "auth"
    if kind != "text":
        return {"boolean": rng.choice(("true", "false")), "text[]": "{id}"}.get(kind, rng.choice(("1", "20", "5000")))
    return place_of(name, place) or rng.choice(
        {"in_created": ("created_at",), "in_email": ("email", None), "in_part": PARTS}.get(name, way)
    )


def chosen(rng: random.Random, name: str, kind: str, place: Sequence[str]) -> str | None:
    """Choose one argument as text."""
    if rng.random() < 0.04:
        return None
    if name == "in_auth" and rng.random() < 0.85:
        return "auth"
    if kind.endswith("[]"):
        return rng.choice(LISTS)
    if kind == "boolean":
        return rng.choice(("true", "false"))
    if kind == "text":
        where = place_of(name, place)
        if where is not None:
            return where if rng.random() < 0.9 else rng.choice(TEXTS)
        return rng.choice(TEXTS)
    if kind == "uuid":
        return rng.choice((None, "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-4fff-bfff-ffffffffffff"))
    if kind in {"timestamp with time zone", "date"}:
        return rng.choice(("now", "2020-01-01", "infinity"))
    return rng.choice(NUMBERS if rng.random() < 0.1 else WHOLE)


def calls(function: Any, many: int) -> Iterator[list[str | None]]:
    """Give arguments: each place at least once, then by chance; the same ones on every run."""
    rng = random.Random(function["signature"])
    for turn in range(many):
        place = PLACES[turn % len(PLACES)] if turn % 4 > 1 else PLACES[turn // 2 % LINKED]
        way, each = rng.choice(POSITIONS), zip(function["names"], function["types"], strict=True)
        if turn % 4 < 2:
            yield [sane(rng, name, kind, place, way) for name, kind in each]
        else:
            yield [chosen(rng, name, kind, place) for name, kind in each]


async def ask(session: asyncpg.Connection, function: Any, arguments: Sequence[str | None]) -> Answer:
    """Call a function; its arguments travel as text."""
    casts = ", ".join(f"${number}::text::{kind}" for number, kind in enumerate(function["types"], 1))
    try:
        rows = await session.fetch(f"select * from pgarchitect.{function['name']}({casts})", *arguments)
    except asyncpg.PostgresError as error:
        return Answer(function["name"], arguments, (), "\n".join(str(each) for each in error.as_dict().values()))
    return Answer(function["name"], arguments, [tuple(row.values()) for row in rows], "")


def flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for each in value:
            yield from flat(each)
    elif value is not None:
        yield value


def leaks(answer: Answer, names: frozenset[str]) -> list[str]:
    """Give what is no number, boolean, name of the catalogue's or harmless word; and what looks like a secret."""
    found = [
        repr(value)
        for value in flat(answer.rows)
        if not isinstance(value, bool | int | float | Decimal)
        and str(value) not in names
        and not HARMLESS.fullmatch(str(value))
    ]
    said = answer.error + repr(answer.rows)
    for argument in sorted(filter(None, answer.arguments), key=len, reverse=True):
        said = said.replace(argument, "?") if len(argument) > 30 else said
    told = SECRET.findall(said)
    return found + ["secret" for _ in told] + ["canary" for word in ("canary", "SCRAM-SHA") if word in said]

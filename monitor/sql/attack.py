"""Shapes that a statement's text takes when somebody's input became part of it on purpose.

Works on a skeleton of the text (sqlskeleton). Precision comes first: what programs write of themselves is no attack.
"""

from __future__ import annotations

import re
from enum import StrEnum

from monitor.sql.lexemes import Lexeme
from monitor.sql.probing import hides, pries, ruins, waits
from monitor.sql.skeleton import BROKEN_OUT, CONSTANTS, LEFT_OVER, LITERAL, Text, read
from monitor.sql.tautology import always_true


class Attack(StrEnum):
    """What a text was made to do."""

    TAUTOLOGY = "tautology"
    """A condition that is always true was added: `or 1=1`."""
    STACKED = "stacked statement"
    """A second statement was put behind the first."""
    UNION = "union"
    """The system catalogue's rows, or made-up ones, were added to the application's."""
    TRUNCATION = "comment truncation"
    """The rest of the statement was made a comment."""
    DELAY = "time delay"
    """The answer was made to wait, so that its time tells something."""
    EXTRACTION = "blind extraction"
    """Values are read out by pieces, through errors or comparisons."""


# What a text of no shape lacks, quickest first: plain words, then expressions that begin with plain letters.
_WORDS = (
    "union", "pg_sleep", "generate_series", "chr", "ascii", "_to_xml", "pg_read_", "pg_ls_dir", "lo_import",
    "lo_export", "pg_shadow", "pg_authid", "pg_user", "substr", "dblink", "intersect", "except", "version", "repeat",
)  # fmt: skip
_CONDITION = (
    r"(?:[\s(]|/\*.*?\*/|not\b)*(?:['\d]|true\b|false\b|null\b|exists\b|(?:current_|session_|random\s*\(|now\s*\(|version\s*\(|"
    r"length\s*\(|lower\s*\(|upper\s*\(|left\s*\(|get_byte|select\b))"
)
_SUSPECT = (
    re.compile(r"or\b(?<!\wor)" + _CONDITION, re.DOTALL),
    re.compile(r"and\b(?<!\wand)" + _CONDITION, re.DOTALL),
    re.compile(r"case\s+when\W*\d"),
    re.compile(r"--(?<=['\d)\s;]--)|--\s*[%'\")]"),
    re.compile(r"::\s*(?:int|numeric)|\bcast\s*\(\W*(?:select\b)?\W*(?:version|current_|session_)"),
    re.compile(r"/\s*\(\s*select\b|order by\W*(?:case when\W*)?select\b"),
    re.compile(r"/\*(?<=['\d)\s]/\*)"),
    re.compile(r";\s*[^\s;]"),
    re.compile(r"\|\|\s*(?:\(\s*select\b|current_|session_)"),
    re.compile(r"\bor\s+([\w.]+)\s*=\s*\1\b"),
)
_UNION = re.compile(rf"{BROKEN_OUT}(?:union|intersect|except) (?:all |distinct )?(?:\( )*(?:select |values \( )")
_CATALOGUE = re.compile(
    r"\b(?:from|join) (?:\( )*(?:pg_catalog \. )?(?:information_schema \. |pg_(?:shadow|user|roles|authid|"
    r"auth_members|database|tables|class|attribute|namespace|proc|settings|views|group|largeobject|hba_file_rules) )"
)
_OF_PEOPLE = re.compile(
    r"\b(?:from|join) (?:\( )*(?:pg_catalog \. )?(?:information_schema \. |pg_(?:shadow|user|roles|authid|"
    r"auth_members|tables|hba_file_rules) )"
)
"""What says where data and who the people are: a program of its own figures does not add it."""
_OF_CREDENTIALS = re.compile(r"\b(?:from|join) (?:\( )*(?:pg_catalog \. )?pg_(?:shadow|user|authid) ")
_FIGURES = re.compile(rf"\A(?:\( )*select (?:(?!from\b)\S+ )*?(?:{LITERAL} |(?:count|sum|min|max|avg) \()")
"""A program's own figures: labels and sums."""
_OF_THE_SERVER = re.compile(r"\b(?:from|join) (?:\( )*(?:pg_catalog|information_schema|pg_\w+)\b")
_MADE_UP = re.compile(rf"(?:null|{LITERAL}) (?:,|\|\|)|version \( \)|current_user|current_database \( \)|chr \(")
_ALL_COLUMNS = re.compile(r"(?:\( )*select (?:\w+ \. )?\* from ")
_PADDING = re.compile(r"(?:(?:null|L[ns]\d+) , )+(?:null|L[ns]\d+) \Z")
"""Constants only, beside all columns of a table: who counts columns writes that."""
_OF_ITSELF = re.compile(r"\A(?:[^;]*? , )?(?:version|inet_server_addr) \( \)")
_FROM = re.compile(r"\b(?:from|into|update|join) (?!select\b)(?:\w+ \. )*\w+")

_STACKED = re.compile(rf"(?P<end>{LITERAL} (?:\) )*); (?=\S)")
_ROWS = re.compile(r"(?:\( )*(?:select|insert|update|delete|with)\b")
_SELECTED = re.compile(r"(?:\( )*(?:select|with)\b")
_LOOKED_UP = re.compile(r"(?:\( )*select .*\bfrom .*\bwhere ")
_RUIN = re.compile(
    r"(?:drop|truncate|grant|revoke|shutdown) |(?:create|alter) (?:or replace )?(?:role|user|function|extension) |"
    r"copy .*(?:program|to|from) L"
)
_CHANGE = re.compile(
    r"(?:drop|truncate|grant|revoke|shutdown|create|alter|copy|do|delete|update|insert|exec|execute|declare|set|call) |"
    r"select .*(?:pg_sleep|generate_series|pg_read_file|lo_|dblink|version \(|current_)"
)
_RUIN_NEXT = re.compile(
    r"; (?:(?:drop|truncate|grant|revoke|(?:alter|create) (?:role|user)) |delete from (?:\w+ \. )?\w+ (?:; )?\Z)"
)
_OF_A_LIST = re.compile(r"\b(?:order by|limit|offset) ")
_EVERY_ROW = re.compile(r"(?:delete from|update) (?!.*\bwhere\b)")

_SLEEP = re.compile(
    rf"\b(?:where|having|values|set|limit|order by) (?:.*?)(?:{LITERAL} ).*?"
    r"(?:and|or|then|else|\|\||=!?|[-+*,]) (?:not )?(?:\( )*(?:(?:case when [^;]* then (?:\( )*)?"
    r"select (?:[^;]*? from )?)?(?:\( )*(?:pg_catalog \. )?pg_sleep(?:_for|_until)? \("
)
_BUSY = re.compile(r"=!? \( select count \( \* \) from generate_series \( L\w+ , Ln\d+ \)")
_SLEPT_FOR = re.compile(
    rf"(?:=!?|\bby) (?:\( )+select (?:{LITERAL}|null|\w+) from (?:pg_catalog \. )?pg_sleep(?:_for|_until)? \("
)
_WAITS_NEXT = re.compile(rf"{LITERAL} (?:\) )*; waitfor delay ")
_SLEEPS_NEXT = re.compile(rf"{LITERAL} (?:\) )*; (?:select|perform) (?:case when .* then (?:\( select )?)?pg_sleep")

_SPELLED = re.compile(r"(?:chr \( L\w+ \) \|\| ?\(? ?){4}|ascii \( substr(?:ing)? \( \( select")
_READER = re.compile(
    r"\b(?:pg_read_file|pg_read_binary_file|pg_ls_dir|lo_import|lo_export|query_to_xml|database_to_xml) \("
)
_ADDED = re.compile(rf"{BROKEN_OUT}(?:and|or) ")
_PEOPLES = re.compile(r"\bfrom (?:\( )*(?:pg_catalog \. )?pg_(?:shadow|authid|user) ")
_PIECE = re.compile(
    rf"{BROKEN_OUT}(?:and|or) (?:not )?(?:\( )+select substr(?:ing)? \( \w+ , {LITERAL} , {LITERAL} \) from "
)
_PASTED = re.compile(rf"(?P<begin>{LITERAL}) \|\| \( select |\) \|\| (?P<end>{LITERAL}) ")
_GIVEN = re.compile(r"\b(?:where|values|set) ")
_ASKS_ON = re.compile(rf"{LITERAL} (?:\) )*(?:and|or|union|\|\||=!?|,) ")
_CLOSED_BEHIND = re.compile(r"[\s+-]*(?:[A-Za-z]{4})?'(?=[\s);,]|\Z)")
"""A comment's begin where a quote follows that once closed the constant."""


def attack(sql: str, *, cut: bool = False) -> Attack | None:
    """Say which shape of an attack a text has; None: none. `cut`: the text's end was cut off and tells nothing."""
    if not _suspect(sql.lower()):
        return None
    text = read(sql, cut=cut)
    tests = (
        (_delays, Attack.DELAY),
        (_stacked, Attack.STACKED),
        (_united, Attack.UNION),
        (_extracts, Attack.EXTRACTION),
        (always_true, Attack.TAUTOLOGY),
        (_truncated, Attack.TRUNCATION),
        (waits, Attack.DELAY),
        (ruins, Attack.STACKED),
        (pries, Attack.EXTRACTION),
        (hides, Attack.TRUNCATION),
    )
    return next((shape for test, shape in tests if test(text)), None)


def _suspect(folded: str) -> bool:
    return any(word in folded for word in _WORDS) or any(shape.search(folded) for shape in _SUSPECT)


def _united(text: Text) -> bool:
    for found in _UNION.finditer(text.skeleton):
        before, rest = text.skeleton[: found.start()], text.skeleton[found.end() :]
        if _OF_THE_SERVER.search(before) or not _FROM.search(before):
            continue
        if text.comment and (_CATALOGUE.search(rest) or _MADE_UP.search(rest)):
            return True
        if _FIGURES.match(before) and not _OF_CREDENTIALS.search(rest):
            continue
        if _OF_PEOPLE.search(rest) or (_CATALOGUE.search(rest) and _MADE_UP.search(rest)):
            return True
        if (not text.cut and _ALL_COLUMNS.match(before) and _PADDING.match(rest)) or _OF_ITSELF.search(rest):
            return True
    return False


def _stacked(text: Text) -> bool:
    if not _ROWS.match(text.skeleton):
        return False
    if _ruins_a_list(text):
        return True
    for found in _STACKED.finditer(text.skeleton):
        before, second = text.skeleton[: found.end()], text.skeleton[found.end() :]
        if "\n" in _behind(text, found):
            continue
        plain = ")" not in found["end"] and _LOOKED_UP.match(before)
        read = _SELECTED.match(before) and _RUIN.match(second)
        if text.comment and (read or ((plain or _hides(text)) and _CHANGE.match(second))):
            return True
        every = not text.cut and _EVERY_ROW.match(second)
        if plain and (_RUIN.match(second) or every or _asks_the_server(before, second)):
            return True
    return False


def _ruins_a_list(text: Text) -> bool:
    """Tell ruin behind a query's order or limit, on its line: there an input is no constant."""
    ruin = None if text.cut else _RUIN_NEXT.search(text.skeleton)
    before = text.skeleton[: ruin.start()] if ruin and "\n" not in text.sql else ""
    query = _SELECTED.match(before) and _FROM.search(before) and "; " not in before
    return bool(query and _OF_A_LIST.search(before))


def _hides(text: Text) -> bool:
    """Tell a comment that hides the rest of a statement from a remark at its end."""
    rest = text.comment.text if text.comment else "no comment"
    hides = rest.strip(" \t-+") == "" or _CLOSED_BEHIND.match(rest)
    return bool(hides or (text.comment and text.comment.kind is Lexeme.OPEN))


def _asks_the_server(before: str, second: str) -> bool:
    """Tell a second statement on the catalogue behind one on the application's tables."""
    asks = _CATALOGUE.search(second) or _READER.search(second)
    return bool(_ROWS.match(second) and asks and not _OF_THE_SERVER.search(before))


def _behind(text: Text, found: re.Match[str]) -> str:
    """Give what stands in the text between a statement's semicolon and the next statement."""
    place = text.skeleton[: found.end()].count(" ")
    return text.sql[text.tokens[place - 1].end : text.tokens[place].start] if 0 < place < len(text.tokens) else ""


def _delays(text: Text) -> bool:
    if not _ROWS.match(text.skeleton):
        return False
    sleeps = "pg_sleep" in text.skeleton and any(
        shape.search(text.skeleton) for shape in (_SLEEPS_NEXT, _SLEEP, _SLEPT_FOR)
    )
    return bool(sleeps or _BUSY.search(text.skeleton) or _WAITS_NEXT.search(text.skeleton))


def _extracts(text: Text) -> bool:
    reader = _READER.search(text.skeleton)
    asked = reader is not None and _ASKS_ON.search(text.skeleton, 0, reader.start())
    return bool(
        asked or _pasted(text) or _pried(text) or _PIECE.search(text.skeleton) or _SPELLED.search(text.skeleton)
    )


def _pried(text: Text) -> bool:
    """Tell a subselect on the server's users in a condition that was added."""
    people, added = _PEOPLES.search(text.skeleton), _ADDED.search(text.skeleton)
    if people is None or added is None or _OF_THE_SERVER.search(text.skeleton, 0, added.start()):
        return False
    return added.start() < people.start() and text.depth(added.start()) < text.depth(people.start())


def _pasted(text: Text) -> bool:
    """Tell a subselect between the halves of a constant: the begin of it, or the end, is empty."""
    halves = [*_PASTED.finditer(text.skeleton)]
    begin = next((each for each in halves if each["begin"]), None)
    end = next((each for each in reversed(halves) if each["end"]), None)
    if begin is None or end is None or end.start() < begin.end() or not _GIVEN.search(text.skeleton, 0, begin.start()):
        return False
    return "" in {text.values[int(begin["begin"][2:])], text.values[int(end["end"][2:])]}


def _truncated(text: Text) -> bool:
    if text.torn and _ROWS.match(text.skeleton) and re.search(LITERAL, text.skeleton):
        return True
    if text.comment is None or not _ROWS.match(text.skeleton):
        return False
    rest, by_line = text.comment.text, text.comment.kind is Lexeme.LINE_COMMENT
    if LEFT_OVER.match(rest) and re.search(LITERAL, text.skeleton):
        return True
    if not re.search(rf"{LITERAL} (?:\) )*\Z", text.skeleton):
        return False
    direct = text.adjacent and text.tokens[-1].kind in CONSTANTS
    return direct or (by_line and rest.strip() != "" and _hides(text))

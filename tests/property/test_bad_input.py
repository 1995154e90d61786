"""Whatever stands in a configuration or a password: clear mistakes, and no secret in any text."""

import tempfile
from pathlib import Path
from urllib.parse import quote

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.load import load_config
from monitor.errors import ConfigErrors
from monitor.log import redacted
from tests.unit.handmade import CATALOG

KEYS = st.sampled_from(["targets", "name", "dsn", "kind", "databases", "include", "labels", "defaults", "interval"]) | (
    st.sampled_from(["probes", "files", "things", "links", "every", "rules", "things.slow", "simple_ms", "severity"])
    | st.sampled_from(["auth", "grace", "receivers", "ops", "slack", "webhook", "route", "receiver", "web", "listen"])
    | st.sampled_from(["store", "retention", "limits", "log", "table"])
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["${HOME}", "a**b*", "*\0", "\0", "/*", "../*.yaml"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


def refused_or_read(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "monitor.yaml"
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        try:
            load_config(path, CATALOG, {"HOME": "x"})
        except ConfigErrors as wrong:
            assert str(wrong)  # noqa: PT017 - either way is well


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_tree_of_known_keys_is_read_or_refused_with_a_message(tree: dict[str, object]) -> None:
    refused_or_read(yaml.safe_dump(tree, allow_unicode=True))


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("targets:dn -[]{}&*!|>'\"%@`#\n\t,?$"), max_size=60))
def test_any_text_is_read_or_refused_with_a_message(text: str) -> None:
    refused_or_read(text)


PASSWORDS = st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=4, max_size=20).filter(
    lambda text: any(character.isalnum() for character in text)
)


@settings(deadline=None)
@given(PASSWORDS)
def test_no_password_of_a_url_survives_redaction(password: str) -> None:
    marked = f"Zq{password}qZ"
    for written in (marked, quote(marked, safe="")):
        shown = redacted(f"cannot reach postgresql://monitor:{written}@db.example.com:5432/shop now")
        assert written not in shown
        assert shown.startswith("cannot reach postgresql://***@")


@settings(deadline=None)
@given(PASSWORDS)
def test_no_password_of_a_keyword_string_or_a_statement_survives_redaction(password: str) -> None:
    marked = f"Zq{password}qZ"
    quoted = marked.replace("\\", "\\\\").replace("'", "\\'")
    for text in (f"host=db password='{quoted}' user=x", f"{{'password': {marked!r}}}"):
        shown = redacted(text)
        assert "Zq" not in shown or "qZ" not in shown
        assert quoted not in shown
    doubled = marked.replace("\\", "").replace("'", "''")
    assert doubled not in redacted(f"alter role x password '{doubled}'")

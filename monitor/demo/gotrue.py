"""Schema auth as Supabase Auth (GoTrue) leaves it, as SQL text: for the demo's database and for tests."""

from importlib.resources import files

NEWER = (
    "oauth_consents", "oauth_authorizations", "oauth_client_states", "custom_oauth_providers", "webauthn_credentials",
    "webauthn_challenges",
)  # fmt: skip


def gotrue() -> str:
    """Give the newest level: one text of many statements, for a superuser of PostgreSQL 14 or newer."""
    return files("monitor.demo").joinpath("gotrue.sql").read_text(encoding="utf-8")


def older_level() -> str:
    """Give what takes the newest level back to the one before OAuth server and passkeys."""
    dropped = "".join(f"drop table auth.{table};\n" for table in NEWER)
    return dropped + "alter table auth.sessions drop column oauth_client_id;\ndrop table auth.oauth_clients;\n"

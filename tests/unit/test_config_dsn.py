"""Connection strings: what libpq would refuse is named before anybody connects, and never shown."""

import pytest

from monitor.dsn import BadDsn, check_dsn

CANARY = "c4n4ry"


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://",
        "postgres://u:p%40ss@h:5432/d?sslmode=require",
        "postgresql://[::1]:5432/d",
        "postgresql:///d?host=/run/postgresql",
        "host=h port=5432 password='it\\'s a \"p@ss\"' dbname = d",
        "service=shop",
    ],
)
def test_a_sound_dsn_passes(dsn: str) -> None:
    check_dsn(dsn)


@pytest.mark.parametrize(
    ("dsn", "complaint"),
    [
        ("  ", "is empty"),
        (f"mysql://u:{CANARY}@h/d", "is not a PostgreSQL URL"),
        (f"postgresql://u:{CANARY}/x@h/d", "has a port that is no number"),
        (f"postgresql://u:{CANARY}#x@h/d", "has a # or a second @"),
        (f"postgresql://u:{CANARY}@x@h/d", "has a # or a second @"),
        (f"postgresql://u:{CANARY}%x@h/d", "has a % without two hex digits"),
        (f"postgresql://u:{CANARY} x@h/d", "has a blank or a line break"),
        (f"postgresql://u:{CANARY}@[::1/d", "has a host or parameters that cannot be read"),
        (f"postgresql://u:{CANARY}@h:0/d", "has a port that is no number"),
        (f"postgresql://u:{CANARY}@h1,h2/d", "names several hosts"),
        (CANARY, "is neither a postgresql:// URL nor"),
        (f"host=h password={CANARY} {CANARY}", "is neither a postgresql:// URL nor"),
        (f"host=h password='{CANARY}", "is neither a postgresql:// URL nor"),
        (f"hots=h password={CANARY}", "has a keyword that libpq does not know; did you mean host?"),
        (f"host=h port=x password={CANARY}", "has a port that is no number"),
    ],
)
def test_a_wrong_dsn_is_refused_without_being_shown(dsn: str, complaint: str) -> None:
    with pytest.raises(BadDsn) as caught:
        check_dsn(dsn)
    assert complaint in str(caught.value)
    assert CANARY not in str(caught.value)

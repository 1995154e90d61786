"""What a store's driver raises, said as StoreError: where, what, how to mend; never a URL, a statement or a value."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from monitor.errors import StoreError
from monitor.store.address import Address


class DamagedFile(StoreError):
    """The SQLite file is not one, or is broken inside."""


DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
SQLITE: Mapping[int, str] = {
    sqlite3.SQLITE_BUSY: "it is locked; end the other program that holds it (a second monitor?)",
    sqlite3.SQLITE_FULL: "the disk is full; make room",
    sqlite3.SQLITE_READONLY: "it is read-only; let our user write the file and its directory",
    sqlite3.SQLITE_PERM: "we may not use it; let our user write the file and its directory",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; let our user write the file and its directory",
    sqlite3.SQLITE_IOERR: "reading or writing failed; look at the disk",
}
POSTGRES: Mapping[str, str] = {
    "08000": "no session; is the server running, and are the URL's options right?",
    "28P01": "the password is wrong; mend it in the URL",
    "28000": "the server refuses the login; look at its pg_hba.conf",
    "3D000": "there is no such database; create it",
    "42501": "a right is missing; run: grant create on schema public to ROLE, as the database's owner",
    "53100": "the server's disk is full; make room",
    "53300": "the server has no connection to spare; raise max_connections",
    "55P03": "another session holds a lock on our tables; end it",
    "25006": "the server is read-only (a standby?); name the primary",
}


@contextmanager
def failures(place: Address) -> Iterator[None]:
    """Turn what goes wrong inside into StoreError."""
    try:
        yield
    except DBAPIError as error:
        raise _said(place, error) from None
    except TimeoutError:
        raise StoreError(f"{place.where}: no answer in time; look at its load") from None
    except OSError as error:
        raise StoreError(f"{place.where}: {_system(place, error)}") from None
    except ValueError:  # the driver cannot read the URL, and would quote it
        raise StoreError(f"{place.where}: its URL cannot be read; percent-encode odd characters in it") from None
    except SQLAlchemyError as error:
        raise StoreError(f"{place.where}: {type(error).__name__}; is it there and running?") from None


def _system(place: Address, error: OSError) -> str:
    if place.path is None:  # its text may quote a part of the URL
        return f"no connection ({type(error).__name__}); is the server there, and its name right?"
    return f"{error.strerror or type(error).__name__}; let our user write the file and its directory"


def _said(place: Address, error: DBAPIError) -> StoreError:
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is None:
        state = getattr(error.orig, "sqlstate", None) or "08000"  # none: the driver's own complaint
        return StoreError(f"{place.where}: {POSTGRES.get(state, f'the server refuses ({state}); see its log')}")
    primary = code & 0xFF
    if primary in DAMAGED:
        return DamagedFile(f"{place.where}: the file is damaged; put it aside")
    what = SQLITE.get(primary, f"SQLite refuses ({getattr(error.orig, 'sqlite_errorname', code)}); look at the file")
    return StoreError(f"{place.where}: {what}")

"""The demo's own configuration: written beside the data, for the monitor's role, with a show's patience."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

from monitor.demo.schema import DATABASE
from monitor.embedded import free_port

NOTE = "waits and limits are shortened for the demo"
BACK_DATED = (
    "the earlier hours are back-dated for the demo, their calls were measured just before it; fewer calls are enough"
)

CONFIG = """\
# The configuration of `monitor demo`. What differs from the defaults to fit a show of a minute carries a note, which
# stands in the evidence of the findings it concerns. The store holds a day of hours of one statement, back-dated.
targets:
  - {{name: demo, dsn: !file dsn, databases: {{include: [{database}]}}, labels: {{env: demo}}}}

defaults: {{interval: 5s}}
probes:
  activity: {{every: 2s}}
  statements: {{every: 5s}}
  pool: {{every: 5s}}
  timeouts: {{every: 10s}}
  server: {{every: 5s}}
  indexes: {{every: 10s}}
  shape: {{every: 10s}}
  auth_links: {{every: 5s}}
  auth_states: {{every: 5s}}
  plans: {{every: 5s, least_ms: 5}}

auth:
  links:
    - {{table: public.users, column: auth_user_id, email: email, created_at: created_at,
       one_per_user: true, every_user: true}}

ignore:
  - {{rule: auth_links.nullable, subject: "public.users (auth_user_id)", reason: "guests have a row without a user"}}

rules:
  statements.slow: {{simple_ms: 25, min_calls: 2, settled: 0s, hold: 0s, note: {note}}}
  statements.n_plus_one: {{calls_per_minute: 600, hold: 0s, note: {note}}}
  statements.regressed: {{every: 5s, min_calls: 25, errors: 2, note: "{back_dated}"}}
  statements.load: {{hold: 15s, note: {note}}}
  tables.sequential_scans: {{every: 5s, hold: 0s, whole_reads: 2, note: {note}}}
  index.missing: {{every: 10s, hold: 0s, note: {note}}}
  auth_links.orphaned_profile: {{hold: 0s, note: {note}}}
  auth_links.missing_profile: {{hold: 0s, note: {note}}}
  pool.saturation: {{hold: 5s, note: {note}}}
  sessions.idle_in_transaction: {{warning_after: 10s, note: {note}}}
  sessions.long_transaction: {{warning_after: 15s, note: {note}}}
  errors.rollback_ratio: {{hold: 0s, note: {note}}}

web: {{listen: "127.0.0.1:{port}"}}
store: sqlite:///state.db
log: {{format: console, level: warning}}
"""


def write_config(folder: Path, dsn: str, port: int) -> Path:
    """Write configuration and DSN into a new folder that only we may enter; give the configuration's path."""
    folder.mkdir(mode=0o700)
    _write_private(folder / "dsn", dsn + "\n")
    file = folder / "monitor.yaml"
    _write_private(file, CONFIG.format(database=DATABASE, note=NOTE, back_dated=BACK_DATED, port=port))
    return file


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def open_port(wanted: int | None) -> int:
    """Give the wanted port of 127.0.0.1 if it is free, else another one."""
    with socket.socket() as door, suppress(OSError):
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("127.0.0.1", wanted or 0))
        return int(door.getsockname()[1])
    return free_port()

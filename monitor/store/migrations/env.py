"""Alembic's way in: the connection, already in its transaction, comes from monitor/store/migrate.py."""

from alembic import context

from monitor.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()

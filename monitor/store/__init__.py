"""The state store: what must outlive a restart, in SQLite or PostgreSQL. SQLAlchemy and Alembic are known only here."""

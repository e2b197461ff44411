"""PostgreSQL: the embedded server, organisation-scoped sessions, migrations."""

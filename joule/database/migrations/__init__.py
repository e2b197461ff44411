"""The schema's history, run by `joule.database.migrate` from wherever Joule is installed."""

"""The job store in SQLite: schema and queries, the tables the ledger works on, the readers, an in-memory twin."""

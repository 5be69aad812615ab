"""Rows in SQLite: `schema` (migrations), `rows` (columns), `sqlite` (the store), `stats`, `surface` (row -> JSON)."""

"""Exchanges in the formats of other tools: `jsonl`, `har`, `chat`, one file each; `flows` and `frame` lie elsewhere."""

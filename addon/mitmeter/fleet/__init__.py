"""One ClickHouse for many proxies: `shipper` sends what a meter_dir has, `remote` reads what all of them sent.

`address` is a URL and its password, `connection` talks to the server, `schema` has the tables, `watermark` remembers
what was sent. `clickhouse-connect` is imported when a connection is made, and not before.
"""

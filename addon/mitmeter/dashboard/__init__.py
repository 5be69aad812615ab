"""The page and the API behind it (docs/api.md): read from a meter_dir, served by mitmweb or by a server of their own.

- `app` is the table of routes and what they share; `page`, `activity`, `captures` and `events` answer them, `entry` and
  `asked` put rows and parameters into the API's words.
- `doors` says who may come in; `mount` is the contact with mitmweb, `server` a server of our own, `live` what the addon
  starts and stops.
- `reader` is a thread with a database: nothing that takes time happens on an event loop.
"""

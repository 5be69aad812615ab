"""The table of routes, and what a route takes to be behind a door."""

from tornado.web import RequestHandler

from mitmeter.dashboard import activity, captures, events, numbers, page, sums

# What answers derives from `doors.Answering`, and from `desk.Desked` where it reads what was metered.
type Route = tuple[str, type[RequestHandler]]

ROUTES: tuple[Route, ...] = (
    (r"/meter/?", page.Page),
    (r"/meter/static/([A-Za-z0-9][A-Za-z0-9._-]*)", page.File),
    (r"/api/meter", page.About),
    (r"/api/metrics", activity.Older),
    (r"/api/metrics/activity", activity.Activity),
    (r"/api/metrics/stats", sums.Stats),
    (r"/api/metrics/series", sums.Series),
    (r"/api/metrics/values", sums.Values),
    (r"/api/captures/([^/]+)", captures.Captures),
    (r"/api/events", events.Events),
    (r"/metrics", numbers.Metrics),
)


def behind(door: type[RequestHandler], answering: type[RequestHandler]) -> type[RequestHandler]:
    """Return what answers once the door has let somebody in."""
    return type(answering.__name__, (answering, door), {})


def routes(door: type[RequestHandler]) -> list[Route]:
    """Return every route, behind a door."""
    return [(pattern, behind(door, answering)) for pattern, answering in ROUTES]

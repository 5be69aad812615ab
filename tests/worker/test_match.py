"""Which flows are metered where a host serves models of other kinds at the same paths."""

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from mitmeter import flows

URL = "https://runtime.sagemaker.us-east-1.amazonaws.com/endpoints/m/invocations"


@pytest.mark.parametrize(
    ("headers", "metered"),
    [
        pytest.param({"content-type": "application/json"}, True, id="json"),
        pytest.param({"Content-Type": "Application/JSON; charset=utf-8"}, True, id="json, case and parameters"),
        pytest.param({}, True, id="no type"),
        pytest.param({"content-type": "text/csv"}, False, id="a table"),
        pytest.param({"content-type": "application/x-image"}, False, id="a picture"),
        pytest.param({"content-type": "application/jsonp"}, False, id="a longer name"),
    ],
)
def test_what_is_asked_for_in_another_type_is_not_metered(headers: dict[str, str], metered: bool) -> None:
    flow = tflow.tflow(req=http.Request.make("POST", URL, b"{}", headers))
    for _ in range(2):
        assert (flows.match(flow) is not None) is metered

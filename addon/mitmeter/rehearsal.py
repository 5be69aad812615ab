"""An exchange that nobody made: what is compiled at its first use does not keep the first rows waiting."""

from mitmeter.exchange import Answer, Opening, Outcome
from mitmeter.recorder import Limits, Recorder


def rehearse(limits: Limits, secret: bytes) -> None:
    """Read it."""
    body, head = b'{"model": "none"}', (("content-type", "application/json"),)
    opening = Opening(
        flow_id="", started=0.0, zero=0.0, method="POST", url="http://localhost/", headers=head, body=body
    )
    recorder = Recorder(opening, None, limits=limits, secret=secret)
    recorder.answer(Answer(status=200, headers=head), 0.0)
    recorder.whole(body, 0.0)
    recorder.close(Outcome.COMPLETE, 0.0)

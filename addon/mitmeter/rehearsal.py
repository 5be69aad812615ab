"""What is done before the first exchange, so that it does not keep traffic or rows waiting later."""

import gc

from mitmeter.exchange import Answer, Opening, Outcome
from mitmeter.recorder import Limits, Recorder


def rehearse(limits: Limits, secret: bytes) -> None:
    """Read an exchange that nobody made: much is compiled at its first use."""
    body, head = b'{"model": "none"}', (("content-type", "application/json"),)
    opening = Opening(
        flow_id="", started=0.0, zero=0.0, method="POST", url="http://localhost/", headers=head, body=body
    )
    recorder = Recorder(opening, None, limits=limits, secret=secret)
    recorder.answer(Answer(status=200, headers=head), 0.0)
    recorder.whole(body, 0.0)
    recorder.close(Outcome.COMPLETE, 0.0)


def settle() -> None:
    """Have the garbage collector leave alone what lives as long as the process, once.

    A full round of it stops every stream, with mitmproxy loaded for some 80 ms, nearly all of which modules cost.
    """
    if gc.get_freeze_count() == 0:
        gc.collect()
        gc.freeze()

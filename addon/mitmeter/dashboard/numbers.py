"""`/metrics`: the numbers for Prometheus, behind the same door as the page."""

import asyncio

from mitmeter.dashboard.desk import Desked


class Metrics(Desked):
    """What is rendered as a scrape asks for it, on a thread: traffic goes first on this one."""

    async def get(self) -> None:
        """Answer in the text format, or as OpenMetrics."""
        exposition = self.desk.exposition()
        if exposition is None:
            self.refuse(404, "numbers are kept by a running proxy")
            return
        accept = self.request.headers.get("Accept")
        kind, body = await asyncio.get_running_loop().run_in_executor(None, exposition.render, accept)
        self.set_header("Content-Type", kind)
        self.finish(body)

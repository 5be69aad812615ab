"""`python -m provider --port 0`: serves until it is ended, and prints its port first."""

import argparse
import asyncio
import contextlib
import sys

from provider.server import serve


async def run(port: int) -> None:
    """Serves on loopback for ever."""
    server = await serve(port)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="provider", description="A paced stand-in for an LLM provider, for tests.")
    parser.add_argument("--port", type=int, default=0)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(parser.parse_args().port))

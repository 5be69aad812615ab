"""Many captures through the archive's API: memory stays flat, the limit holds. `scripts/bench retention [GB] [MB]`."""

import resource
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from click import echo

from mitmeter.archive.segments import SUFFIX
from mitmeter.exchange import Capture, Exchange, Outcome
from mitmeter.redact import redact
from mitmeter.shelf import Shelf, private_folder

BODY_BYTES = 250_000
TOGETHER = 20


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    total = int(float(sys.argv[1] if len(sys.argv) > 1 else 1) * 1e9)
    limit = int(float(sys.argv[2] if len(sys.argv) > 2 else 100) * 1e6)
    chance = Random(1)
    with tempfile.TemporaryDirectory() as one:
        folder = Path(one) / "meter"
        private_folder(folder)
        written = number = shown = 0
        most, largest = 0, 0
        begun = time.perf_counter()
        with Shelf(folder) as shelf:
            shelf.trim(0.0, limit, None)
            while written < total:
                items = []
                for _ in range(TOGETHER):
                    number += 1
                    given: dict[str, Any] = {
                        "flow_id": f"{number}",
                        "started": float(number),
                        "method": "POST",
                        "path": "/v1/messages",
                    }
                    body = chance.randbytes(BODY_BYTES // 10) * 10
                    held = Capture(
                        **given, url="https://h.invalid/", http_version="1", outcome=Outcome.COMPLETE, request_body=body
                    )
                    items.append((Exchange(**given, host="h.invalid"), redact(held)))
                    written += len(body)
                shelf.write(items, 1.7e9 + number, {})
                sizes = [path.stat().st_size for path in (folder / "captures").glob(f"*{SUFFIX}")]
                most, largest = max(most, sum(sizes)), max(largest, *sizes)
                if written >= shown:
                    echo(
                        f"{written / 1e9:5.1f} GB written, {sum(sizes) / 1e6:6.1f} MB kept, RSS {resident_mb():.0f} MiB"
                    )
                    shown += total // 10
        over = max(0, most - limit)
        echo(f"limit {limit / 1e6:.0f} MB, at most {most / 1e6:.1f} MB, over by {over / max(largest, 1):.2f} segments")
        echo(f"{written / 1e6 / (time.perf_counter() - begun):.0f} MB/s")


if __name__ == "__main__":
    main()

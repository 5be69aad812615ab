"""Capture -> Redacted. Nothing else makes a `Redacted`, and sinks accept nothing else."""

from typing import NewType

from mitmeter.exchange import Capture

Redacted = NewType("Redacted", Capture)

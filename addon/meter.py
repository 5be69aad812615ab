"""mitmeter for `mitmdump -s addon/meter.py`; works from a checkout and installed."""

from mitmeter.hooks import Meter

addons = [Meter()]

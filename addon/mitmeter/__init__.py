"""mitmeter: meters LLM traffic on the wire."""

__version__ = "0.1.0"

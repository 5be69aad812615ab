"""Numbers out: what was metered, told to the systems that people run."""

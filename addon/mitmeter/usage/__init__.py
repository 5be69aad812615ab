"""Messages -> usage, timings, model, finish and error. Knows no framing, file or socket."""

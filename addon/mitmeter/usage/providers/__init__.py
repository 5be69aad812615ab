"""One file for each provider or engine, each exporting `PROVIDER`. Adding one is adding a file."""

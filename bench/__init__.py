"""Measurements of the suite on the machine at hand; see bench/README.md."""

"""Measures what aigolos makes of real recordings, door by door, beside other programs: `make quality`, docs/quality.md."""

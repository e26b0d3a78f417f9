"""Cases that no user would write, and what has to hold of each: see `tests/fuzz.py`."""

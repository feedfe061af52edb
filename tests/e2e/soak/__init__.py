"""A soak of a real array: clients that work, an operator who meddles, and faults without end; see ``tests/soak.py``."""

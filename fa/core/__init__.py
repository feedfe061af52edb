"""Decisions: values, events, effects and the machines that turn one into the other. No I/O, no clock, no asyncio."""

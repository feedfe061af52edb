"""fa: a handful of Linux servers and a shared volume become one transcoding array."""

__version__ = "0.1.0"

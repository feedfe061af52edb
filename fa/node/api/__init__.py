"""The HTTP face of a node: the same routes on the Unix socket and on TLS, generated from one table."""

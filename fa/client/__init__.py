"""How people's tools reach a node: HTTP over the Unix socket or TLS."""

"""Statistics on known truth: simulations that run the whole protocol, each with a limit that it must keep."""

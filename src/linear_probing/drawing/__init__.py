"""Drawing: tables of the statistics stage in, matplotlib figures out. Nothing here estimates, averages or tests anything."""

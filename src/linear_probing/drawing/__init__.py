"""Drawing: tables of the statistics stage in, matplotlib figures out. Nothing here estimates or tests anything."""

"""What the statistics stage computes: metrics, estimates with intervals, places on the map."""

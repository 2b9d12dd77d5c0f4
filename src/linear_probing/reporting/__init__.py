"""Reporting: tables of the statistics stage in, one page that a person explores out. Nothing here estimates anything."""

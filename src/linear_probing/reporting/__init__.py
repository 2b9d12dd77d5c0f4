"""Reporting: tables of the statistics stage in, a page that a person explores out. Nothing here estimates anything."""

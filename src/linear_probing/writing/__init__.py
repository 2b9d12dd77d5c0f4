"""Writing: tables of the statistics stage in, a main table and a paper's values out. Nothing is estimated here."""

"""Readers of the files that data come in: one module a format, all to text with the line of every row."""

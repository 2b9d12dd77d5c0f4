"""docs/tables.md: every column of the statistics stage's tables, from the descriptions that columns.csv is made of.

python -m linear_probing.estimation.columns_document --output docs/tables.md
"""

import argparse
from pathlib import Path

from linear_probing.estimation.columns import DICTIONARY, TABLES, Column, described
from linear_probing.stage import replace_file, run

HEAD = f"""# Columns of the tables

`python -m linear_probing.estimation.columns_document --output docs/tables.md` writes this page from what
`results/studies/STUDY/statistics/{DICTIONARY}` is made of. results/README.md says what each table is for. Files are
UTF-8 with a header line and six digits a number. An empty cell is a number that is not defined there; the last column
says when that is.
"""
HEADER = "| column | holds | unit | meaning | empty |\n|---|---|---|---|---|"


def document() -> str:
    """Return the page, as Markdown."""
    return "\n".join([HEAD, *(_section(table) for table in TABLES)])


def _section(table: str) -> str:
    rows = [_row(name, column) for name, column in described(table).items()]
    return "\n".join([f"## {table}\n\n{TABLES[table].rows}\n", HEADER, *rows, ""])


def _row(name: str, column: Column) -> str:
    return f"| {name} | {column.kind} | {column.unit} | {column.meaning} | {column.empty} |"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description="Write what every column of a study's tables means.")
    parser.add_argument("--output", type=Path, required=True, help="Markdown file to write")
    arguments = parser.parse_args()
    with replace_file(arguments.output) as temporary:
        temporary.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    run(main)

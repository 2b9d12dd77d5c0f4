"""Parquet by DuckDB: one wheel without dependencies. pyarrow would change the string type of pandas in every stage."""

import re
from pathlib import Path

from linear_probing.formats.rows import FormatError, Problem, Rows, bytes_of, check_names, made

SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
"""One thread keeps the rows' order; extensions would be fetched from the network."""
ZONE = "SET TimeZone = 'UTC'"
"""The machine's zone is no part of a file. No setting of a connection, which does not know the word yet."""
READ = "read_parquet(?, hive_partitioning = false)"
"""The file alone: a folder named label=1 is no column."""
NESTED = re.compile(r"\[\]|^(STRUCT|MAP|UNION|BLOB|LIST|VARIANT|GEOMETRY)")
WHOLE = "fetch or write it again"


def read(path: Path) -> Rows:
    """Return the rows of a file: numbers as DuckDB writes them, `true` and `false`, dates as 2024-07-26.

    Times with a zone are those of UTC, 2024-07-26 21:30:00+00.

    Raises
    ------
    FormatError
        If it is no whole Parquet file, or a column is nested or of bytes.
    """
    import duckdb  # 80 MB that no other format needs

    bytes_of(path)  # an error of the file system in our words
    # DuckDB takes a path for a pattern.
    name = re.sub(r"[*?[]", lambda mark: f"[{mark[0]}]", str(path))
    try:
        with duckdb.connect(config=SETTINGS) as connection:
            connection.execute(ZONE)
            described = connection.execute(f"DESCRIBE SELECT * FROM {READ}", [name]).fetchall()
            schema = connection.execute("SELECT name, num_children FROM parquet_schema(?)", [name]).fetchall()
            wrong = [(column, kind) for column, kind, *_ in described if NESTED.search(kind)]
            if wrong:
                column, kind = wrong[0]
                what = f"the column {column!r} is of type {kind}, expected text, numbers or truth values"
                raise FormatError(path, [Problem(None, what, do="leave the column out, or make one of text of it")])
            # The file's own names: DuckDB renames the second of two that are equal.
            names = [column for column, _ in schema[1:]]
            check_names(names, path, None)
            table = connection.execute(f"SELECT COLUMNS(*)::VARCHAR FROM {READ}", [name]).fetchall()
    except duckdb.Error as error:
        first = str(error).split("\n", maxsplit=1)[0].replace(name, path.name)
        what = f"cannot be read as Parquet: {first}"
        raise FormatError(
            path, [Problem(None, what, "the file was cut short, or is of another format", WHOLE)]
        ) from error
    cells = [["" if cell is None else cell for cell in row] for row in table]
    return made(path, names, cells, range(1, len(cells) + 1), "row")

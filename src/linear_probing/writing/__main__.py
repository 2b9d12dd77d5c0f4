"""The main table of any study, without a paper: as files, or in place of the one that stands in a Markdown file.

python -m linear_probing.writing --config FILE --statistics FOLDER (--output FOLDER | --into README.md)

Tables with a record, and golden ones, must be of the configuration; those without either were written by hand.
"""

import argparse
from pathlib import Path

from linear_probing import golden, records, settings
from linear_probing.artefacts import Artefacts
from linear_probing.settings import Study
from linear_probing.stage import replace_file, run
from linear_probing.writing import rendering
from linear_probing.writing.main_table import rows
from linear_probing.writing.note import note
from linear_probing.writing.reading import PaperError

BEGIN, END = "<!-- main table: python -m linear_probing.writing --help -->", "<!-- end of the main table -->"


def check_tables(study: Study, folder: Path) -> None:
    """Check that tables are of a study's configuration, as far as their folder says what they are of.

    Raises
    ------
    PaperError
        If they are golden tables of another configuration.
    RecordError
        If they have a record, but none of today's code and configuration, or are not as they were written.
    """
    if (folder / golden.CONFIGURATION).is_file():
        reason = golden.not_compared(study, folder, golden.configuration_digest(study.file))
        if reason:
            raise PaperError(
                f"the tables are not those of {study.name}: {reason}",
                file=folder / golden.CONFIGURATION,
                likely="--statistics or --config is of another study, or the configuration was edited since",
                do="name the tables and the configuration of one study",
            )
    elif records.find(folder):
        records.check_current(Artefacts(study), "statistics", folder)
        records.check(folder)


def read_text(file: Path) -> str:
    """Return the text of a Markdown file.

    Raises
    ------
    PaperError
        If it is not there or is no text.
    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PaperError(
            f"{file.name} cannot be read: {error}",
            file=file,
            likely="a misspelt path",
            do="name a Markdown file with marks around its main table, or --output for the table alone",
        ) from error


def replaced(text: str, table: str, file: Path) -> str:
    """Return a Markdown text with a table between its two marks.

    Raises
    ------
    PaperError
        If the text has not both marks, once each and in order.
    """
    if (text.count(BEGIN), text.count(END)) != (1, 1) or text.index(BEGIN) > text.index(END):
        raise PaperError(
            f"{file.name} has no place for the main table",
            file=file,
            likely="the lines that mark it were changed",
            do=f"write these lines where it is to stand: {BEGIN} and {END}",
        )
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    return f"{before}{BEGIN}\n\n{table}\n{END}{after}"


def first_table(study: Study, statistics: Path) -> str:
    """Return the main table of a study's first model, as Markdown."""
    found = rows(study, statistics, next(model.name for model in study.models if model.seed is None))
    return rendering.markdown(found, note(study, found))


def main() -> None:
    """Write the main table."""
    parser = argparse.ArgumentParser(prog="linear_probing.writing", description="Write a study's main table.")
    parser.add_argument("--config", type=Path, required=True, help="the study's configuration")
    parser.add_argument("--statistics", type=Path, required=True, help="folder of the statistics stage")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--output", type=Path, help="folder for main.csv, main.md and main.tex")
    target.add_argument("--into", type=Path, help="Markdown file with marks around its main table")
    arguments = parser.parse_args()
    study = settings.load(arguments.config)
    check_tables(study, arguments.statistics)
    if arguments.output:
        arguments.output.mkdir(parents=True, exist_ok=True)
        rendering.write(study, arguments.statistics, arguments.output)
    else:
        text = replaced(read_text(arguments.into), first_table(study, arguments.statistics), arguments.into)
        with replace_file(arguments.into) as temporary:
            temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main)

"""A plan as aligned text: numbers that rest on guesses are marked with ~."""

from collections.abc import Sequence
from dataclasses import replace

from linear_probing.planning.measured import MeasuredRow
from linear_probing.planning.tables import Plan, StatesRow

UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def bytes_text(number: float) -> str:
    """Return bytes in the unit in which they read best.

    Examples
    --------
    >>> [bytes_text(number) for number in (12, 8_960_592, 16e9)]
    ['12 B', '9.0 MB', '16.0 GB']
    """
    size, unit = next(((size, unit) for size, unit in UNITS if number >= size), (1.0, "B"))
    return f"{number / size:.0f} {unit}" if unit == "B" else f"{number / size:.1f} {unit}"


def time_text(seconds: float) -> str:
    """Return seconds as minutes and seconds, or hours and minutes.

    Examples
    --------
    >>> [time_text(number) for number in (42.4, 501, 20000)]
    ['0:42 min', '8:21 min', '5:33 h']
    """
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"


def marked(word: str, estimated: bool) -> str:
    """Return a number with a mark if it is a guess."""
    return f"~{word}" if estimated else word


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows under their heads; words stand left, numbers (what begins with a digit or a mark) right.

    Examples
    --------
    >>> print(aligned(["name", "n"], [["cities", "1,496"], ["facts", "~561"]]), end="")
    name        n
    cities  1,496
    facts    ~561
    """
    lines = [head, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    right = [any(row[place][:1].isdigit() or row[place][:1] == "~" for row in rows) for place in range(len(head))]
    text = [
        "  ".join(
            word.rjust(width) if place else word.ljust(width)
            for word, width, place in zip(line, widths, right, strict=True)
        )
        for line in lines
    ]
    return "".join(f"{line.rstrip()}\n" for line in text)


def text(plan: Plan) -> str:
    """Return a plan as text."""
    sections = [
        aligned(
            ["data set", "targets", "texts", "characters"],
            [
                [row.name, *(marked(f"{n:,}", row.estimated) for n in (row.targets, row.texts, row.characters))]
                for row in plan.datasets
            ],
        ),
        _models(plan),
        _states(plan),
        _downloads(plan),
        _stages(plan),
    ]
    title = f"{plan.study} ({plan.configuration})\n"
    notes = "".join(f"- {note}\n" for note in plan.notes)
    return "\n".join([title, *(section for section in sections if section), notes])


def _models(plan: Plan) -> str:
    head = ["model", "device", "parameters", "layers", "d_model", "weights", "a batch", "a shard's states (host)"]
    rows = [
        [
            row.name,
            row.device,
            f"{row.parameters:,}",
            f"{row.layers}",
            f"{row.d_model:,}",
            bytes_text(row.weights_bytes),
            bytes_text(row.batch_bytes),
            marked(bytes_text(row.shard_bytes), row.estimated),
        ]
        for row in plan.models
    ]
    return aligned(head, rows)


def _states(plan: Plan) -> str:
    """Return the rows of models on data sets; those of models that are alike, as twins, in one."""
    alike: dict[StatesRow, list[str]] = {}
    for row in plan.states:
        alike.setdefault(replace(row, model=""), []).append(row.model)
    head = ["activations of", "on", "tokens", "computed", "as", "a layer", "all layers", ""]
    rows = [
        [
            names[0] if len(names) == 1 else f"{names[0]}, and {len(names) - 1} alike",
            row.dataset,
            marked(f"{row.tokens:,}", row.tokens_estimated),
            marked(f"{row.computed:,}", row.tokens_estimated),
            row.way,
            marked(bytes_text(row.bytes_per_layer), row.bytes_estimated),
            marked(bytes_text(row.bytes), row.bytes_estimated),
            "there" if row.there else "",
        ]
        for row, names in alike.items()
    ]
    guessed = any(row.bytes_estimated for row in plan.states)
    total = marked(bytes_text(sum(row.bytes for row in plan.states)), guessed)
    return aligned(head, [*rows, ["all models", "", "", "", "", "", total, ""]])


def _downloads(plan: Plan) -> str:
    rows = [[row.name, f"~{bytes_text(row.bytes)}", "there" if row.there else ""] for row in plan.downloads]
    return aligned(["to download", "bytes", ""], rows) if rows else ""


def _stages(plan: Plan) -> str:
    head = ["stage", "jobs", "to run", "seconds of a core", "bytes"]
    rows = [
        [
            row.stage,
            f"{row.jobs}",
            f"{row.to_run}",
            marked(f"{row.seconds:,.0f}", row.estimated),
            "not counted" if row.bytes is None else marked(bytes_text(row.bytes), row.estimated),
        ]
        for row in plan.stages
    ]
    whole = f"{marked(time_text(plan.seconds), plan.estimated)} on {plan.cores} cores, of states and probes "
    return aligned(head, rows) + f"in all: {whole}{marked(bytes_text(plan.bytes), plan.estimated)}\n"


def measured_text(rows: Sequence[MeasuredRow]) -> str:
    """Return planned beside recorded seconds and bytes, with their ratios."""
    if not rows:
        return "no job of this study has a record under results/runs\n"
    head = ["stage", "jobs", "recorded", "of older code", "planned s", "recorded s", "ratio"]
    head += ["planned bytes", "recorded bytes", "ratio"]
    found = []
    for row in rows:
        sizes = ["", "", ""]
        if row.planned_bytes is not None and row.recorded_bytes:
            ratio = f"{row.planned_bytes / row.recorded_bytes:.3f}"
            sizes = [bytes_text(row.planned_bytes), bytes_text(row.recorded_bytes), ratio]
        counts = [f"{row.jobs}", f"{row.recorded}", f"{row.older}"]
        seconds = [f"{row.planned_seconds:,.1f}", f"{row.recorded_seconds:,.1f}"]
        ratio = f"{row.planned_seconds / max(row.recorded_seconds, 1e-9):.2f}"
        found.append([row.stage, *counts, *seconds, ratio, *sizes])
    return aligned(head, found)

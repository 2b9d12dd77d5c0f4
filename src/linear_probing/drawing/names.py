"""Names of tasks, short enough for the axes of a matrix, and in words for a caption."""

from collections import Counter
from collections.abc import Iterable

from linear_probing.drawing.curves import title


def short(tasks: Iterable[str]) -> dict[str, str]:
    """Return for each task the name of its data set, or its full name where its data set has another task as well.

    Examples
    --------
    >>> short(["cities.truth", "place.country", "place.continent"])
    {'cities.truth': 'cities', 'place.country': 'place.country', 'place.continent': 'place.continent'}
    """
    all_tasks = list(dict.fromkeys(tasks))
    shared = Counter(task.split(".")[0] for task in all_tasks)
    return {task: task if shared[task.split(".")[0]] > 1 else task.split(".")[0] for task in all_tasks}


def glossary(tasks: Iterable[str]) -> str:
    """Return what the short names stand for, where there are words for it.

    Examples
    --------
    >>> glossary(["agreement.number", "mine.label"])
    'agreement: number of the subject'
    """
    named = short(tasks)
    spelt = {name: title(task) for task, name in named.items() if title(task) != task}
    return "; ".join(f"{name}: {words[0].lower()}{words[1:]}" for name, words in spelt.items())

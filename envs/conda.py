"""Write the conda file of the study from its lock file.

In: study.lock. Out: study.yaml, beside it, with the same names, versions, conditions and hashes in its
pip section. `make lock` calls this; a test fails where the two differ. The header of the written file
says why the pins are repeated there and not referred to.
"""

from __future__ import annotations

import os
from pathlib import Path

from install import NEWEST, OLDEST, Pin, read_pins

FOLDER = Path(__file__).parent
HEADER = """\
# The study's environment for conda, and for Snakemake's `conda:`. Written by conda.py from study.lock.
#
# The pins stand here in full, not as `-r study.lock`: Snakemake copies this file to .snakemake/conda and
# names the environment after its content, so that a path relative to it would point nowhere, and a change
# of the lock would not be seen. As each entry has hashes, pip refuses every file that they do not name. It
# also refuses a folder, which has no hash: so the package itself is installed by study.post-deploy.sh,
# which Snakemake runs afterwards. By hand, in the root of the repository:
#
#     conda env create --name linear-probing --file envs/study.yaml
#     conda run --name linear-probing --no-capture-output sh envs/study.post-deploy.sh
#
# torch comes as the public index publishes it (on Linux with its CUDA libraries), since the hashes name
# those files. For another build of it take `make setup`.
"""


def render(pins: tuple[Pin, ...]) -> str:
    """Return the conda file as text.

    An entry is one plain scalar over several lines, which YAML folds into the one line that pip wants.
    """
    oldest, newest = (f"{major}.{minor}" for major, minor in (OLDEST, (NEWEST[0], NEWEST[1] + 1)))
    lines = ["channels:", "  - conda-forge", "  - nodefaults", "dependencies:"]
    lines += [f"  - python >={oldest},<{newest}", "  - pip", "  - pip:"]
    for pin in pins:
        lines.append(f"      - {pin.requirement}")
        lines += [f"        --hash={value}" for value in pin.hashes]
    return HEADER + "\n".join(lines) + "\n"


def main() -> None:
    """Write study.yaml."""
    final = FOLDER / "study.yaml"
    temporary = final.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(render(read_pins(FOLDER / "study.lock")), encoding="utf-8")
    temporary.replace(final)


if __name__ == "__main__":
    main()

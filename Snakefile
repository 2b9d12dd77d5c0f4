# A study, from its configuration to its figures. Rules stand in the order in which data flow.
import os
from pathlib import Path

from snakemake.utils import min_version

from linear_probing import artefacts, records, replacing, settings
from linear_probing.jobs import Jobs, configuration, folder_of, folders_of, growing

min_version("9.0")
artefacts.check_checkout(Path(workflow.basedir))
# Where a container's variable forbids byte code, each of some fifty short jobs compiles for 3 to 8 s what it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# One file says all there is to a study: --configfile replaces the default and is not laid over it. It is no input of a rule:
# what a job takes from it is in the digest of its output, and two studies may share an output.
CONFIG = configuration(
    workflow.config_settings.configfiles, workflow.config_settings.config
)
STUDY = settings.load(CONFIG)
JOBS = Jobs(STUDY)
if workflow.is_main_process and not workflow.dryrun:
    # What killed jobs left, before it is planned what there is to do.
    replacing.remove_dead(records.tops())
JOBS.claim(dry=workflow.dryrun)


wildcard_constraints:
    item="[^/]+",
    dataset="[^/]+",
    model="[^/]+",
    digest="[0-9a-f]{10}",


# The text at the front of `snakemake --report`.
report: "workflow/report/workflow.rst"


localrules:
    all,
    activations,
    downloads,
    pictures,


# Before the first job, and not in a dry run: what this study needs is not pruned for another's sake.
onstart:
    from linear_probing.probing import estimators

    estimators.check(STUDY)
    # Left by a snakemake that was killed, one would bring back the record of a folder that is gone. The lock is held.
    replacing.remove_backups(Path(artefacts.RESULTS))
    for error in replacing.unwritable(records.absent(JOBS)):
        logger.warning(f"{type(error).__name__}: {error}")
    JOBS.write_manifest()
    for notice in JOBS.notices():
        logger.warning(f"licence of {notice}")


onsuccess:
    from linear_probing import crate

    crate.describe(JOBS)


# A job that was killed has said nothing, and what snakemake meets on a disk it says without what to do.
onerror:
    from linear_probing import aftermath

    for error in aftermath.unsaid(map(Path, log)):
        logger.error(f"{type(error).__name__}: {error}")


# Every output is an update: a stage replaces its folder as a whole and must find there what it wrote, to know it for its own;
# Snakemake would take the record away first.
rule all:
    input:
        JOBS.record(JOBS.figures),
        JOBS.record(JOBS.statistics),


include: "workflow/rules/downloads.smk"
include: "workflow/rules/datasets.smk"
include: "workflow/rules/tokens.smk"
include: "workflow/rules/activations.smk"
include: "workflow/rules/probes.smk"
include: "workflow/rules/transfer.smk"
include: "workflow/rules/interventions.smk"
include: "workflow/rules/statistics.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/paper.smk"

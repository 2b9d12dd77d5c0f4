# A study, from its configuration to its figures. Rules stand in the order in which data flow.
from snakemake.utils import min_version

from linear_probing import artefacts, settings

min_version("9.0")

# One file says all there is to a study: --configfile replaces the default and is not laid over it. It is no input of a rule:
# what a job takes from it is in the digest of its output, and two studies may share an output.
CONFIG = artefacts.configuration(
    workflow.config_settings.configfiles, workflow.config_settings.config
)
STUDY = settings.load(CONFIG)
PATHS = artefacts.Artefacts(STUDY)


wildcard_constraints:
    dataset="[^/]+",
    model="[^/]+",
    digest="[0-9a-f]{10}",


localrules:
    all,


rule all:
    input:
        PATHS.stamp("figures"),
        PATHS.stamp("statistics"),


include: "workflow/rules/datasets.smk"
include: "workflow/rules/tokens.smk"
include: "workflow/rules/activations.smk"
include: "workflow/rules/probes.smk"
include: "workflow/rules/statistics.smk"
include: "workflow/rules/figures.smk"

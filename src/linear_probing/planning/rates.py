"""Seconds of the reference machine, in one table: what costs are computed from, and what to correct when measured.

Reference: 2 cores x86-64 at 2.5 GHz with AVX-512, 24 GiB, no GPU, a job on each core; numpy 2.4, torch 2.13. Fitted to
single layers of 500 to 4,768 rows at d = 160 to 4,096, and to the records of whole studies; `--measured` compares them
with any other's. Each name says what its seconds are multiplied with.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

NOT_SECONDS = {
    "edited",
    "clock",
    "overhead",
    "steps",
    "steps_per_row",
    "steps_per_class_row",
    "steps_of_twin",
    "steps_alone",
    "resampled",
    "flops_cpu",
    "flops_cuda_16",
    "flops_cuda_32",
}
"""Counts and shares, which are the same on every machine, and speeds."""


@dataclass(frozen=True)
class Rates:
    """Seconds a unit of work, on the reference machine.

    Parameters
    ----------
    clock : float
        Seconds of the clock over those of the processor, in which the others were measured, with a job on each core.
    starts : float
        Of Snakemake, once a run; `per_job` for each job: its command, records and digests.
    start, load, draw : float
        Python and imports of a job that fits or counts; of one that extracts, with libraries; per parameter that a twin
        draws, and `read` per byte of weights.
    dataset, dataset_row, tokens, tokens_fetched, tokens_per_text : float
        A data set that is built, and a target of it; a tokenizer, one that was fetched, which loads more of its
        library, and a text of it.
    shard, flops_cpu, flops_cuda_16, flops_cuda_32 : float
        A shard of a data set with its parity check; and floating point operations a second: of one thread, of a GPU in
        16 bits and in 32.
    fit, step, sweep, decomposition : float
        Logistic probes: per problem, class, row and feature, the first once and the second at every step; per layer;
        per n x d x min(n, d).
    overhead : int
        Features that a step costs beside its product with the features.
    steps, steps_per_row, steps_per_class_row, steps_alone, steps_of_twin : float
        Steps until a probe converges, and more of them per row to a feature, n / d: of two classes, and of more; those
        of a large problem, which is solved alone; and what share of it random weights need, which decode less.
    gram, factor, solve, ridge, ridge_column : float
        Ridge, with m = min(n, d): per n x d x m; per training part, penalty and m³, and m²; per run; per row, feature
        and output. Half of it with more features than rows.
    permuted, permutation : float
        Label permutations: per operation of the closed form, and per permutation.
    epoch, batch : float
        Perceptrons: per row, weight and epoch, and per batch.
    discriminant, discriminant_row, discriminant_gram : float
        LDA: per fit, per row and feature, per n x d x min(n, d); `difference`, `difference_row` of mean differences.
    probing, plan : float
        Reading, writing and digests of a job of probes; masks and permutations of a task, per target.
    text_fit, text_row, column_fit : float
        Probes of text: per fit, per fit and row, more with more classes; per fit of a single column.
    transfer, moved : float
        A model; each pair of binary tasks and layer.
    interventions, edited : float
        A job; an edited token, in times of a token that is extracted, since its probabilities are read too.
    statistics : float
        Scores read, tables written.
    resampled : Mapping[str, tuple[float, float]]
        By kind of task, per target and resample: of the task's metric for every probe and run, and of the further
        metrics of every probe.
    figure, figure_task : float
        A figure; and per task.
    """

    clock: float = 1.2
    starts: float = 5.0
    per_job: float = 0.5
    start: float = 2.5
    load: float = 14.0
    draw: float = 1e-8
    read: float = 1e-9
    dataset: float = 1.4
    dataset_row: float = 6e-5
    tokens: float = 1.8
    tokens_fetched: float = 3.0
    tokens_per_text: float = 1e-4
    shard: float = 0.8
    flops_cpu: float = 9e10
    flops_cuda_16: float = 3e14
    flops_cuda_32: float = 3e13
    fit: float = 1.1e-9
    step: float = 1.0e-10
    sweep: float = 0.08
    decomposition: float = 1.5e-10
    overhead: int = 40
    steps: float = 8.0
    steps_per_row: float = 1.5
    steps_per_class_row: float = 8.0
    steps_alone: float = 80.0
    steps_of_twin: float = 0.6
    gram: float = 1.5e-10
    factor: float = 6e-12
    solve: float = 2e-8
    ridge: float = 0.04
    ridge_column: float = 5e-10
    permuted: float = 6e-11
    permutation: float = 2.5e-4
    epoch: float = 1.3e-10
    batch: float = 1.2e-4
    discriminant: float = 0.006
    discriminant_row: float = 2e-8
    discriminant_gram: float = 8e-11
    difference: float = 0.004
    difference_row: float = 1.4e-8
    probing: float = 1.5
    plan: float = 6e-5
    text_fit: float = 0.03
    text_row: float = 1e-5
    column_fit: float = 0.01
    transfer: float = 1.5
    moved: float = 0.02
    interventions: float = 3.0
    edited: float = 3.5
    statistics: float = 3.0
    resampled: Mapping[str, tuple[float, float]] = field(
        default_factory=lambda: {"binary": (5.8e-9, 4.2e-9), "position": (1.6e-9, 9.2e-8), "multiclass": (1e-9, 8e-9)}
    )
    figure: float = 1.2
    figure_task: float = 0.5

    def at(self, rate: float, flops: float | None = None) -> "Rates":
        """Return the seconds of another machine.

        Parameters
        ----------
        rate : float
            Its processor's speed over the reference machine's. A GPU's speed stays what it is.
        flops : float, optional
            Floating point operations a second of whatever runs the models, instead of the defaults.

        Examples
        --------
        >>> found = Rates().at(2.0)
        >>> round(found.start / Rates().start / Rates().clock, 6), found.overhead
        (0.5, 40)
        """
        names = [one.name for one in fields(self) if one.name not in NOT_SECONDS]
        rate = rate / self.clock
        resampled = {kind: (own / rate, further / rate) for kind, (own, further) in self.resampled.items()}
        found = replace(self, resampled=resampled, **{name: getattr(self, name) / rate for name in names})
        speeds = (flops, flops, flops) if flops else (self.flops_cpu * rate, self.flops_cuda_16, self.flops_cuda_32)
        return replace(found, flops_cpu=speeds[0], flops_cuda_16=speeds[1], flops_cuda_32=speeds[2])


REFERENCE = Rates()
FITTED = 2000 * 4096
"""Rows times features of the largest layer that the seconds of probes were fitted to."""
GPU_SOURCE = "30 % of an H100's dense rate in bfloat16, assumed and not measured"
CPU_SOURCE = "one thread, measured with a BERT of d = 384 in float32"

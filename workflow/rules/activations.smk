# The residual stream at every target, layer by layer: a job per model and shard, for the data sets that are not there yet.
# The model is loaded once for all of them. A job's output are the marks of its files, not the files: what a failed job has
# finished stays.
for EXTRACTION in PATHS.extractions():

    rule:
        name:
            f"activations_{EXTRACTION.model}_{EXTRACTION.shard}"
        input:
            tokens=ancient(EXTRACTION.tokens),
        output:
            EXTRACTION.marks,
        log:
            f"logs/activations/{EXTRACTION.model}-{EXTRACTION.shard}-{EXTRACTION.digest}.log",
        conda:
            "../../envs/study.yaml"
        threads: 1
        resources:
            mem_mb=1000,
            gpu=EXTRACTION.gpus,
        params:
            config=PATHS.configuration_for,
            model=EXTRACTION.model,
            shard=EXTRACTION.shard,
            folders=EXTRACTION.folders,
        shell:
            "python -m linear_probing.activations --config {params.config} --model {params.model}"
            " --tokens {input.tokens} --output {params.folders} --shard {params.shard}"
            " --threads {threads} 2> {log}"

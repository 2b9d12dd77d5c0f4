# The residual stream at every target, layer by layer: a job per model and shard, for the data sets that are not there yet.
# The model is loaded once for all of them. A job's outputs are the records of its files, not the files: what a failed job
# has finished stays. On a cluster it is a job of its own, so that a GPU is held no longer than it is used.
for EXTRACTION in JOBS.extractions():

    rule:
        name:
            EXTRACTION.rule
        input:
            tokens=ancient(EXTRACTION.token_records),
            model=ancient(EXTRACTION.fetched),
        output:
            update(EXTRACTION.signs),
        log:
            f"logs/activations/{EXTRACTION.model}-{EXTRACTION.shard}-{EXTRACTION.digest}.log",
        priority: EXTRACTION.priority
        conda:
            "../../envs/study.yaml"
        threads: 1
        resources:
            mem_mb=growing(EXTRACTION.memory_mb),
            runtime=growing(240),
            gpu=EXTRACTION.gpus,
        params:
            config=JOBS.configuration_for,
            model=EXTRACTION.model,
            shard=EXTRACTION.shard,
            tokens=EXTRACTION.tokens,
            folders=EXTRACTION.folders,
        shell:
            "python -m linear_probing.activations --config {params.config:q} --model {params.model}"
            " --tokens {params.tokens} --output {params.folders} --shard {params.shard}"
            " --gpus {resources.gpu} --threads {threads} 2> {log}"


rule activations:
    # All that needs the models: what DVC keeps, and what a study can be made from without a GPU.
    input:
        ancient(JOBS.all_states()),

rule transfer:
    # Scores of every binary task's targets by the directions of every other, and the cosines between directions.
    input:
        tables=ancient(JOBS.tables_of_transfer),
        states=ancient(JOBS.states_of_transfer),
        probes=ancient(JOBS.probes_of_transfer),
    output:
        update("results/transfer/{model}/tasks-{digest}/record.json"),
    log:
        "logs/transfer/{model}/tasks-{digest}.log",
    conda:
        "../../envs/study.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(120),
    params:
        config=JOBS.configuration_for,
        tables=folders_of("tables"),
        states=folders_of("states"),
        probes=folders_of("probes"),
        folder=folder_of("output", 0),
    shell:
        "python -m linear_probing.transfer --config {params.config:q} --model {wildcards.model}"
        " --tables {params.tables} --activations {params.states} --probes {params.probes}"
        " --output {params.folder} --threads {threads} 2> {log}"

rule tokens:
    # Token ids, and the token position of every target; twins share them with their original.
    input:
        tables=ancient(JOBS.tables_for),
        model=ancient(JOBS.fetched_for),
    output:
        update("results/tokens/{model}/{dataset}-{digest}/record.json"),
    log:
        "logs/tokens/{model}/{dataset}-{digest}.log",
    priority: 4
    group:
        "preparation"
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=growing(700),
        runtime=growing(10),
    params:
        config=JOBS.configuration_for,
        tables=folder_of("input", "tables"),
        folder=folder_of("output", 0),
    shell:
        "python -m linear_probing.tokens --config {params.config:q} --model {wildcards.model}"
        " --dataset {params.tables} --output {params.folder} 2> {log}"

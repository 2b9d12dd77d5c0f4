rule datasets:
    # Texts and targets of a data set, with labels and folds.
    input:
        sources=ancient(JOBS.sources_for),
    output:
        update("results/datasets/{dataset}-{digest}/record.json"),
    log:
        "logs/datasets/{dataset}-{digest}.log",
    priority: 5
    group:
        "preparation"
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=growing(500),
        runtime=growing(10),
    params:
        config=JOBS.configuration_for,
        folder=folder_of("output", 0),
    shell:
        "python -m linear_probing.datasets --config {params.config:q} --dataset {wildcards.dataset}"
        " --output {params.folder} 2> {log}"

rule datasets:
    # Texts and targets of a data set, with labels and folds.
    input:
        lexicons=ancient(PATHS.lexicons_for),
    output:
        directory("results/datasets/{dataset}-{digest}"),
    log:
        "logs/datasets/{dataset}-{digest}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=500,
    params:
        config=PATHS.configuration_for,
    shell:
        "python -m linear_probing.datasets --config {params.config} --dataset {wildcards.dataset}"
        " --output {output} 2> {log}"

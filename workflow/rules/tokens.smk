rule tokens:
    # Token ids, and the token position of every target; twins share them with their original.
    input:
        tables=ancient(PATHS.tables_for),
    output:
        directory("results/tokens/{model}/{dataset}-{digest}"),
    log:
        "logs/tokens/{model}/{dataset}-{digest}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=700,
    params:
        config=PATHS.configuration_for,
    shell:
        "python -m linear_probing.tokens --config {params.config} --model {wildcards.model}"
        " --dataset {input.tables} --output {output} 2> {log}"

rule baselines:
    # Out-of-fold scores of what reads the text, or a column, alone: the pseudo model `text`, which has no activations.
    input:
        tables=ancient(PATHS.tables_for),
    output:
        directory("results/probes/text/{dataset}-{digest}"),
    log:
        "logs/probes/text/{dataset}-{digest}.log",
    conda:
        "../../envs/study.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        config=PATHS.configuration_for,
    shell:
        "python -m linear_probing.probes --config {params.config} --dataset {wildcards.dataset}"
        " --tables {input.tables} --output {output} --threads {threads} 2> {log}"


rule probes:
    # Out-of-fold scores of every task, split and layer, and of the control tasks.
    input:
        tables=ancient(PATHS.tables_for),
        states=ancient(PATHS.marks_for),
    output:
        directory("results/probes/{model}/{dataset}-{digest}"),
    log:
        "logs/probes/{model}/{dataset}-{digest}.log",
    wildcard_constraints:
        model="(?!text/)[^/]+",
    conda:
        "../../envs/study.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        config=PATHS.configuration_for,
        activations=PATHS.activations_for,
    shell:
        "python -m linear_probing.probes --config {params.config} --dataset {wildcards.dataset}"
        " --tables {input.tables} --activations {params.activations} --output {output}"
        " --threads {threads} 2> {log}"

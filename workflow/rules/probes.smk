rule baselines:
    # Out-of-fold scores of what reads the text, or a column, alone: the pseudo model `text`, which has no activations.
    input:
        tables=ancient(JOBS.tables_for),
    output:
        update("results/probes/text/{dataset}-{digest}/record.json"),
    log:
        "logs/probes/text/{dataset}-{digest}.log",
    group:
        "baselines"
    conda:
        "../../envs/study.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(30),
    params:
        config=JOBS.configuration_for,
        tables=folder_of("input", "tables"),
        folder=folder_of("output", 0),
    shell:
        "python -m linear_probing.probes --config {params.config:q} --dataset {wildcards.dataset}"
        " --tables {params.tables} --output {params.folder} --threads {threads} 2> {log}"


rule probes:
    # Out-of-fold scores of every task, split and layer, and of the control tasks.
    input:
        tables=ancient(JOBS.tables_for),
        states=ancient(JOBS.states_for),
    output:
        update("results/probes/{model}/{dataset}-{digest}/record.json"),
    log:
        "logs/probes/{model}/{dataset}-{digest}.log",
    wildcard_constraints:
        model="(?!text/)[^/]+",
    # The longest jobs first, and the shortest, of the text and of a later twin, last: so the cores end together.
    priority: 2
    conda:
        "../../envs/study.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(480),
    params:
        config=JOBS.configuration_for,
        tables=folder_of("input", "tables"),
        states=folders_of("states"),
        folder=folder_of("output", 0),
    shell:
        "python -m linear_probing.probes --config {params.config:q} --dataset {wildcards.dataset}"
        " --tables {params.tables} --activations {params.states} --output {params.folder}"
        " --threads {threads} 2> {log}"

rule interventions:
    # What a model says when its states are changed along the probes' directions, beside random ones. Loads the model with its head.
    input:
        tables=ancient(JOBS.tables_of_interventions),
        tokens=ancient(JOBS.tokens_of_interventions),
        states=ancient(JOBS.states_of_interventions),
        probes=ancient(JOBS.probes_of_interventions),
    output:
        update("results/interventions/{model}/{dataset}-{digest}/record.json"),
    log:
        "logs/interventions/{model}/{dataset}-{digest}.log",
    priority: 2
    conda:
        "../../envs/study.yaml"
    threads: 1
    resources:
        mem_mb=JOBS.memory_of,
        runtime=growing(240),
        gpu=JOBS.gpus_of,
    params:
        config=JOBS.configuration_for,
        tables=folders_of("tables"),
        tokens=folders_of("tokens"),
        states=folders_of("states"),
        probes=folders_of("probes"),
        folder=folder_of("output", 0),
    shell:
        "python -m linear_probing.interventions --config {params.config:q} --model {wildcards.model}"
        " --dataset {wildcards.dataset} --tables {params.tables} --tokens {params.tokens}"
        " --activations {params.states} --probes {params.probes}"
        " --output {params.folder} --gpus {resources.gpu} --threads {threads} 2> {log}"

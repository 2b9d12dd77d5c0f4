rule statistics:
    # Estimates, intervals and controls, as tables. It is nearly the last, so it takes what cores there are.
    input:
        datasets=ancient(JOBS.records(JOBS.tables)),
        probes=ancient(JOBS.records(JOBS.probes)),
        transfer=ancient(JOBS.records(JOBS.transfer)),
        interventions=ancient(JOBS.records(JOBS.interventions)),
    output:
        update(JOBS.record(JOBS.statistics)),
    log:
        f"logs/statistics/{STUDY.name}.log",
    conda:
        "../../envs/study.yaml"
    threads: 8
    resources:
        mem_mb=growing(1000, per_thread=500),
        runtime=growing(120),
    params:
        config=JOBS.configuration_for,
        datasets=folders_of("datasets"),
        probes=folders_of("probes"),
        transfer=folders_of("transfer"),
        interventions=folders_of("interventions"),
        folder=folder_of("output", 0),
    shell:
        "python -m linear_probing.statistics --config {params.config:q} --datasets {params.datasets}"
        " --probes {params.probes} --transfer {params.transfer} --interventions {params.interventions}"
        " --output {params.folder} --threads {threads} 2> {log}"

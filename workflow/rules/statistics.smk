rule statistics:
    # Estimates, intervals and controls, as tables.
    input:
        datasets=ancient(JOBS.records(JOBS.tables)),
        probes=ancient(JOBS.records(JOBS.probes)),
        transfer=ancient(JOBS.records(JOBS.transfer)),
    output:
        update(JOBS.record(JOBS.statistics)),
    log:
        f"logs/statistics/{STUDY.name}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=1000,
    params:
        config=JOBS.configuration_for,
        datasets=folders_of("datasets"),
        probes=folders_of("probes"),
        transfer=folders_of("transfer"),
        folder=folder_of("output", 0),
    shell:
        "python -m linear_probing.statistics --config {params.config:q} --datasets {params.datasets}"
        " --probes {params.probes} --transfer {params.transfer} --output {params.folder} 2> {log}"

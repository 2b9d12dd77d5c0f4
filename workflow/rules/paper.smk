rule paper:
    # The paper and the main table, from tables and figures alone; asked for by its name, not by a study.
    input:
        tables=ancient(JOBS.record(JOBS.statistics)),
        figures=ancient(JOBS.record(JOBS.figures)),
    output:
        update(JOBS.record(JOBS.paper)),
    log:
        f"logs/paper/{STUDY.name}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=growing(500),
        runtime=growing(30),
    params:
        config=JOBS.configuration_for,
        statistics=folder_of("input", "tables"),
        figures=folder_of("input", "figures"),
        folder=folder_of("output", 0),
    shell:
        "python -m linear_probing.paper --config {params.config:q} --statistics {params.statistics}"
        " --figures {params.figures} --output {params.folder} 2> {log}"

rule figures:
    # Every figure of drawing/plan.py, and captions.json, from the tables alone.
    input:
        tables=ancient(JOBS.record(JOBS.statistics)),
    output:
        update(JOBS.record(JOBS.figures)),
    log:
        f"logs/figures/{STUDY.name}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=500,
    params:
        config=JOBS.configuration_for,
        statistics=folder_of("input", "tables"),
        folder=folder_of("output", 0),
    shell:
        "python -m linear_probing.figures --config {params.config:q} --statistics {params.statistics}"
        " --output {params.folder} 2> {log}"

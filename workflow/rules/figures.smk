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
    # As many as there are cores, if fewer.
    threads: 4
    resources:
        mem_mb=growing(300, per_thread=300),
        runtime=growing(30),
    params:
        config=JOBS.configuration_for,
        statistics=folder_of("input", "tables"),
        folder=folder_of("output", 0),
    shell:
        "python -m linear_probing.figures --config {params.config:q} --statistics {params.statistics}"
        " --output {params.folder} --threads {threads} 2> {log}"

rule figures:
    # Layer curves, map and plane, from the tables alone.
    input:
        statistics=f"{FOLDER}/statistics",
        manifest=PATHS.write_manifest(),
        config=ancient(CONFIG),
    output:
        directory(f"{FOLDER}/figures"),
    log:
        f"logs/figures/{STUDY.name}.log",
    resources:
        mem_mb=500,
    conda:
        "../../envs/study.yaml"
    shell:
        "python -m linear_probing.figures --config {input.config} --statistics {input.statistics}"
        " --output {output} 2> {log}"

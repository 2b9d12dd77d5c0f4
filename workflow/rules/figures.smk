rule figures:
    # Layer curves, map and plane, from the tables alone.
    input:
        statistics=f"{FOLDER}/statistics",
        digest=PATHS.write_manifest("figures"),
    output:
        directory(f"{FOLDER}/figures"),
    log:
        f"logs/figures/{STUDY.name}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=500,
    params:
        config=PATHS.configuration_for,
    shell:
        "python -m linear_probing.figures --config {params.config} --statistics {input.statistics}"
        " --output {output} 2> {log}"

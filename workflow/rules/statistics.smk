rule statistics:
    # Estimates, intervals and controls, as tables. The manifest changes when anything upstream does.
    input:
        datasets=ancient(list(PATHS.tables.values())),
        probes=ancient(list(PATHS.probes.values())),
        manifest=PATHS.write_manifest(),
        config=ancient(CONFIG),
    output:
        directory(f"{FOLDER}/statistics"),
    log:
        f"logs/statistics/{STUDY.name}.log",
    resources:
        mem_mb=1000,
    conda:
        "../../envs/study.yaml"
    shell:
        "python -m linear_probing.statistics --config {input.config} --datasets {input.datasets}"
        " --probes {input.probes} --output {output} 2> {log}"

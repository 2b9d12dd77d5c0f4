rule statistics:
    # Estimates, intervals and controls, as tables. The digest changes when anything upstream does.
    input:
        datasets=ancient(list(PATHS.tables.values())),
        probes=ancient(list(PATHS.probes.values())),
        digest=PATHS.write_manifest("statistics"),
    output:
        directory(f"{FOLDER}/statistics"),
    log:
        f"logs/statistics/{STUDY.name}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=1000,
    params:
        config=PATHS.configuration_for,
    shell:
        "python -m linear_probing.statistics --config {params.config} --datasets {input.datasets}"
        " --probes {input.probes} --output {output} 2> {log}"

rule statistics:
    # Estimates, intervals and controls, as tables.
    input:
        datasets=ancient(list(PATHS.tables.values())),
        probes=ancient(list(PATHS.probes.values())),
    output:
        PATHS.stamp("statistics"),
    log:
        f"logs/statistics/{STUDY.name}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=1000,
    params:
        config=PATHS.configuration_for,
        folder=PATHS.output_folder,
    shell:
        "python -m linear_probing.statistics --config {params.config} --datasets {input.datasets}"
        " --probes {input.probes} --output {params.folder} --stamp {output} 2> {log}"

rule figures:
    # Layer curves, map and plane, from the tables alone.
    input:
        ancient(PATHS.stamp("statistics")),
    output:
        PATHS.stamp("figures"),
    log:
        f"logs/figures/{STUDY.name}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=500,
    params:
        config=PATHS.configuration_for,
        statistics=PATHS.input_folder,
        folder=PATHS.output_folder,
    shell:
        "python -m linear_probing.figures --config {params.config} --statistics {params.statistics}"
        " --output {params.folder} --stamp {output} 2> {log}"

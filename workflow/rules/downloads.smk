rule downloads:
    # A public file by its SHA-256, or a model by its commit or its package's version; nothing else asks the network.
    output:
        update("results/downloads/{item}-{digest}/record.json"),
    log:
        "logs/downloads/{item}-{digest}.log",
    priority: 6
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=500,
    params:
        config=JOBS.configuration_for,
        folder=folder_of("output", 0),
    shell:
        "python -m linear_probing.downloads --config {params.config:q} --output {params.folder} 2> {log}"

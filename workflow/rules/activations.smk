rule activations:
    # The residual stream at every target, layer by layer. The model is loaded once for all data sets, and folders that are
    # there stay: so the output is the listing of the folders, not the folders.
    input:
        tokens=ancient(PATHS.tokens_for),
    output:
        "results/activations/{model}/all-{digest}.json",
    log:
        "logs/activations/{model}-{digest}.log",
    conda:
        "../../envs/study.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        config=PATHS.configuration_for,
        folders=PATHS.activations_of,
    shell:
        "python -m linear_probing.activations --config {params.config} --model {wildcards.model}"
        " --tokens {input.tokens} --output {params.folders} --listing {output} --threads {threads} 2> {log}"

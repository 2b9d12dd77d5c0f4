rule activations:
    # The residual stream at every target, layer by layer.
    input:
        tokens=ancient(PATHS.tokens_for),
        config=ancient(CONFIG),
    output:
        directory("results/activations/{model}/{dataset}-{digest}"),
    log:
        "logs/activations/{model}/{dataset}-{digest}.log",
    threads: 1
    resources:
        mem_mb=1000,
    conda:
        "../../envs/study.yaml"
    shell:
        "python -m linear_probing.activations --config {input.config} --model {wildcards.model}"
        " --tokens {input.tokens} --output {output} --threads {threads} 2> {log}"

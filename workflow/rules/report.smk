rule report:
    # The page that a person explores, from the tables alone.
    input:
        tables=ancient(JOBS.record(JOBS.statistics)),
    output:
        update(JOBS.record(JOBS.report)),
    log:
        f"logs/report/{STUDY.name}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=growing(500),
        runtime=growing(30),
    params:
        config=JOBS.configuration_for,
        statistics=folder_of("input", "tables"),
        folder=folder_of("output", 0),
    shell:
        "python -m linear_probing.report --config {params.config:q} --statistics {params.statistics}"
        " --output {params.folder} 2> {log}"


rule pictures:
    # What `snakemake pictures --report` shows: all figures with their captions, and the tables of best layers. Folders, not files:
    # which figures there are depends on the study, and what a rule promises here are records.
    input:
        records=[JOBS.record(JOBS.figures), JOBS.record(JOBS.statistics)],
        figures=report(
            JOBS.figures,
            patterns=["{figure}.svg"],
            caption="../report/figure.rst",
            category=lambda wildcards: JOBS.captions.category(wildcards.figure),
            labels={"figure": "{figure}"},
        ),
        tables=report(
            JOBS.statistics,
            patterns=["{table,best_layer[a-z_]*}.csv"],
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
    params:
        captions=lambda wildcards: JOBS.captions,

"""Experiments behind what is said about VAEs: each one is rerun by `minivae compare NAME`.

An experiment is a module here with

    NAME, WHAT      what the command calls it, and one line on what it measures
    run(folder, *, seeds, progress) -> dict

`seeds` is how many repetitions to run, numbered from 0; `progress` is whether to show a bar. `run`
writes its tables and pictures into `folder` and returns a summary: `tables`, a list of (title,
header, rows); `pictures`, the names of its PNG files; `text`, what came out, in words that are
computed from the numbers. The same seeds give the same files. No other use imports an
experiment.

It may have besides

    OPTIONS         dict of `Option`: flags of its own, which `run` takes as keywords
    RESUMES         True if it takes hours: `run` goes on with what it finds in `folder`, and all
                    experiments together are those without it
"""

"""Numbers anyone can rerun: corpora from the package registries, the measuring, and the benchmarks.

    plan (python -m benchmarks: which steps, within which time)
      │
    packages.toml ─▶ corpora ─▶ throughput · beside · scale · … ─▶ runs/ (dated tables)
                                  │  │                              │
                           measure   reference (the raw parse)    newest ─▶ charts (svg) · publish ─▶ README, docs

Nothing here is part of the package, and no benchmark downloads anything but its corpus. `docs/benchmarks.md` says how
to run them and how to read them.
"""

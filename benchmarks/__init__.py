"""Speed and memory of the layers and the pipelines: `python -m benchmarks`.

Each part (layers, memory, growth, pipelines) is a module with three functions:
`measure` runs the measurements in new processes and returns records, `show` prints
them, and `draw` makes a chart of them. `summary` compares the records with the goals of
the project.

The process of the command itself stays small and imports no layers, because the peak
memory of a new process starts from that of its parent process.
"""

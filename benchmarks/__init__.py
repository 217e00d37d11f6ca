"""How fast and how large the layers and the pipelines are: `python -m benchmarks`.

Each part (layers, memory, growth, pipelines) is a file with three functions: `measure`
runs it in processes of its own and gives records, `show` prints them, `draw` makes a
chart of them. `summary` compares records with what this project promises.

The process of the command itself stays small and imports no layers: a new process
begins its count of peak memory with that of the process that started it.
"""

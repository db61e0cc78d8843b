"""The work on the tiles of a large image: on all cores or a cluster, through faults, and over restarts.

Dask spreads the work and tries again where a worker was lost. What it does not know is here: what one tile is
(``work.py``), that a finished one is never done twice (``tile_files.py``), and what belongs to one run (``job.py``).
"""

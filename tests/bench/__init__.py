"""labgate beside what people would pick instead: ``make bench``.

In the order a run uses them: ``__main__`` reads the command line, ``machine`` says where
this is and pins the cores, ``certificates`` makes one pair for everybody, ``upstream`` is
the server behind every proxy, ``peers`` are the proxies, ``interpreter`` finds
labgate's Python, ``process`` starts and weighs them, ``clients`` and ``wrk`` make the load,
``measures`` are what is asked, ``run`` interleaves them, ``targets`` judges, ``table``,
``plot`` and ``results`` show it; ``report`` is what each bench does around that.

``hub`` measures the proxy of a JupyterHub, ``page`` how long a page takes.

Beside it, ``pair`` compares two checkouts on a busy machine, and ``request_profile`` finds the
functions that a request spends its time in.
"""

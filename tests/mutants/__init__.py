"""Mutation tests: mutmut changes one expression of the code at a time, and a test should fail.

- ``__main__``       ``make mutants``: runs mutmut, and compares the survivors with the known ones
- ``scratch``        a copy of the checkout in which mutmut works
- ``cleared_caches`` a plugin of pytest, so that no cache hides a mutant
- ``mutant``         a mutant and its key, which stays the same while other lines change
- ``survivors``      the survivors that are known, with reasons: ``accepted.toml`` and ``open.toml``
"""

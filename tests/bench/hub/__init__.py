"""labgate and configurable-http-proxy with a Hub's ten thousand routes: ``make bench ARGS=hub``.

- ``peers``    both, with the port of their API
- ``figures``  what is measured, and the targets
- ``measures`` how it is measured
- ``command``  the command line, and the report
"""

"""Shows people what labgate did to the headers of a request.

- ``headers``    the text of ``--show-headers`` for one exchange
"""

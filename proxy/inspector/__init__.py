"""What happened to every header, for people.

- ``redaction``  secrets out, before anything is shown or logged
- ``headers``    the ``--show-headers`` text of one exchange
"""

"""The side towards Jupyter.

In the order a request meets them:

- ``address``  where Jupyter is
- ``streams``  what an exchange reads its content from and writes its answer to
- ``pool``     kept-alive connections, taken last in, first out
- ``page_deadline``  ends the wait for a page where nothing at all is answered
- ``http1``    one connection: a request out, an answer in
- ``reading``  one answer as it is read: llhttp's callbacks, and what llhttp lets through
- ``relay``    an answer on its way down, written as it arrives
- ``reset``    a break that is seen as one, ``keepalive`` a peer that vanished
- ``tunnel``   raw bytes both ways after a 101
"""

"""``labgate doctor``: finds out why a Jupyter behind any proxy refuses requests.

- ``target``   the address that is examined, taken apart
- ``answer``   what came back for a request, as the judgements read it
- ``finding``  what is wrong, with the evidence, and the report
"""

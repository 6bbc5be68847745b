"""``labgate doctor``: finds out why a Jupyter behind any proxy refuses requests.

Most of it is tested all together, on real proxies.

- ``target``           the address that is examined, taken apart
- ``examine``          runs the probes of the plan, and removes what they made
- ``plan``             the probes in their order, and which of them need which
- ``examination``      the state of one run: what the probes know of each other
- ``probes``           each asks, and hands the answer to its judgement
- ``browser``          asks as the page of a Jupyter would
- ``open_sockets``     its connections, none of which outlives it
- ``secret_values``    removes secrets from what is shown; pure
- ``raw``              requests byte by byte, which no client library would send
- ``http2``            a WebSocket handshake over HTTP/2
- ``answer``           what came back, as the judgements read it
- ``judge``            an answer in, a finding or nothing out; pure
- ``kernel_channel``   questions to a kernel through its WebSocket
- ``kernel_messages``  their form; pure
- ``belongings``       what is made in Jupyter, and removed again whatever happens
- ``finding``          what is wrong, with the evidence, and the report
- ``compare``          asks Jupyter directly about what was found
"""

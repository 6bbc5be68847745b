"""Captures what passes, for people who look for a fault; ``proxy.admin`` shows it.

Secrets are redacted when something is captured, so that none can be shown, exported or stored.

In the order an exchange meets them:

- ``inspector``           switches the capture on and off
- ``guard``               keeps its faults away from the traffic
- ``recorder``            begins a recording of every exchange while it is on
- ``plain_captures``      captures most exchanges when they end
- ``capture_context``     what the captures of all exchanges share
- ``recorded_exchange``   stands between a front and the proxying, where more is wanted
- ``exchange_capture``    what is captured of such an exchange, and when the ring gets it
- ``snapshot``            what is known of it by now, without its texts
- ``failure``             why it failed, in words
- ``captured_heads``      all heads of an exchange as text, once for those that repeat
- ``captured_text``       fields and changes without their secrets
- ``exchange``            what is known of one exchange, as text
- ``recorded_content``    the beginning of some content
- ``content``             which content is shown, without its secrets
- ``json_secrets``        JSON without its secrets
- ``counted_tunnel``      a WebSocket that was open before: octets only
- ``recorded_tunnel``     a WebSocket that passes untouched, while a copy is read
- ``frames``              WebSocket frames (RFC 6455)
- ``websocket_messages``  fragments joined, compression undone (RFC 7692)
- ``kernel_messages``     Jupyter's kernel messages in words
- ``ring``                the latest exchanges, bounded
- ``remote``              the exchanges of the workers
- ``mends``               lines to paste, for what is wrong with an exchange
- ``filters``             the words above a list
- ``headers``             ``--show-headers``
- ``explanation_log``     why requests failed, in labgate's log
- ``rows``                exchanges in a terminal
- ``har``                 HTTP Archives, out and in
- ``archived_explanation``  why an exchange of an archive failed
- ``curl``                a request as a line for curl
- ``replay_request``      what may be sent again
- ``replay_front``        a request of labgate's own, without a client
"""

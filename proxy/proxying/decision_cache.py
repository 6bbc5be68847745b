"""Decisions and serialised fields of requests whose fields came before.

Most requests of a connection repeat the fields of the one before. Then the decision and the
rewritten fields are the same, too. An entry ends with its field section.
"""

from __future__ import annotations

from weakref import ref

from proxy.http1.request_writer import serialize_fields
from proxy.observe.record import FieldsUp, Record
from proxy.rules.changes import Change
from proxy.rules.decide import decide, depends_on_target
from proxy.rules.decision import Decision, Forward
from proxy.rules.head import FieldSection, RequestHead
from proxy.rules.redirect import names_folder
from proxy.rules.request import fields_depend_on_target, upstream_fields
from proxy.rules.site import Site
from proxy.rules.target import has_dot_segment, is_ordinary


class Remembered(ref[FieldSection]):
    """The decision and the serialised head of one field section, which it does not keep alive.

    Attributes:
        identity: The section's ``id``.
        forwarded: Site, arrival, method and version of a request that was forwarded unmodified;
            None if there was none, and then there is no ``target``.
        target: That request's target, or a later one's.
        lines: The serialised fields that went up.
        fields_up: The same with the rules' changes; None if they are not needed.
        sent_as: Site, arrival and version with which ``lines`` were made; None if they hold for
            that request alone. Also None if nothing went up: then ``lines`` and ``fields_up`` do
            not exist.
    """

    __slots__ = ("fields_up", "forwarded", "identity", "lines", "sent_as", "target")

    identity: int
    forwarded: object
    sent_as: object
    target: bytes
    lines: bytes
    fields_up: FieldsUp | None


class DecisionCache:
    """Decides and serialises like the pure rules, once for each field section."""

    def __init__(self) -> None:
        self._sections: dict[int, Remembered] = {}

    def __len__(self) -> int:
        return len(self._sections)

    def decide(self, head: RequestHead, site: Site) -> Decision:
        """As ``rules.decide.decide``."""
        remembered = self._sections.get(id(head.section))
        key = (site, head.arrival, head.method, head.version)
        if (
            remembered is not None
            and remembered.forwarded == key
            and (remembered.target == head.target or is_ordinary(head.target))
            and not (site.folder and names_folder(head.target, site))
            and not (site.refuse_dot_segments and has_dot_segment(head.target))
        ):
            remembered.target = head.target
            return Forward(head)
        decision = decide(head, site)
        if not depends_on_target(decision, head):
            remembered = self._of(head)
            remembered.forwarded, remembered.target = key, head.target
        return decision

    def upstream_lines(
        self,
        head: RequestHead,
        site: Site,
        *,
        websocket: bool = False,
        trace: Record | None = None,
    ) -> bytes:
        """The fields that go up, as ``http1.request_writer`` writes them, but for the request's id.

        Args:
            head: The request.
            site: The site.
            websocket: Whether this is a WebSocket handshake.
            trace: Gets the fields and the changes.
        """
        changes: list[Change] | None
        if websocket:
            changes = None if trace is None else []
            fields = upstream_fields(head, site, websocket=True, changes=changes)
            if trace is not None and changes is not None:
                trace.fields_up = FieldsUp(fields, changes)
            return serialize_fields(fields)
        remembered = self._of(head)
        key = (site, head.arrival, head.version)
        if remembered.sent_as != key or (trace is not None and remembered.fields_up is None):
            changes = None if trace is None else []
            fields = upstream_fields(head, site, changes=changes)
            remembered.lines = serialize_fields(fields)
            remembered.sent_as = None if fields_depend_on_target(head) else key
            remembered.fields_up = None if changes is None else FieldsUp(fields, changes)
        if trace is not None and remembered.fields_up is not None:
            trace.fields_up = remembered.fields_up
        return remembered.lines

    def _of(self, head: RequestHead) -> Remembered:
        section = head.section
        remembered = self._sections.get(id(section))
        if remembered is None:
            remembered = Remembered(section, self._forget)
            remembered.identity = id(section)
            remembered.forwarded = remembered.sent_as = None
            self._sections[id(section)] = remembered
        return remembered

    def _forget(self, remembered: ref[FieldSection]) -> None:
        assert isinstance(remembered, Remembered), "no other is made"
        del self._sections[remembered.identity]

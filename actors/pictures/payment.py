"""One payment's pictures, from its document with the timeline: its path, and who told whom what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from actors.directory.reaction import Reactions
from actors.messaging.envelope import CHOREOGRAPHED
from actors.payment.workflow import WORKFLOWS
from actors.pictures import chain_layout, marking, path, process_layout, rehearsal, sequence, svg
from actors.pictures.chain import chain, of_order, only
from actors.pictures.outline import outline
from actors.pictures.scene import Scene
from actors.pictures.sequence import Told
from actors.pictures.stages import Stage, acts, chain_stages, is_idle, meanings, stages, undoing
from actors.vocabulary.money import parse_money
from actors.vocabulary.order import Creditor, PaymentOrder

KINDS: Final = ("path", "sequence")
FORMATS: Final = ("text", "mermaid", "svg")


class NoDefinition(LookupError):
    """The code at hand has no such version of the payment's workflow, so its path can't be drawn."""


class Way(NamedTuple):
    """How far the payment came with each step, the picture to mark that in, and (service, event) that did nothing."""

    stages: list[Stage]
    scene: Scene
    idle: frozenset[tuple[str, str]] = frozenset()


def payment_diagram(payment: Mapping[str, Any], reactions: Mapping[str, Reactions], kind: str, format: str) -> str:
    """The picture of one payment as its document (`payment ID --json`) has it.

    Raises:
        NoDefinition: its version of the workflow is gone; its sequence can still be drawn.
    """
    messages = sequence.told(payment["timeline"], undoing(outline(each) for each in WORKFLOWS.values()))
    title = f"{payment['payment_id']}, {_called(payment)}, {payment['flow']}, {payment['created_at'][:10]}"
    if kind == "sequence":
        draw = {"text": sequence.as_text, "mermaid": sequence.as_mermaid, "svg": sequence.as_svg}[format]
        return draw(title, messages)
    way = _way(payment, reactions, messages)
    end, people = _end(payment), acts(messages)
    if format == "text":
        return path.as_text(title, way.stages, people, end)
    if format == "mermaid":
        return path.as_mermaid(way.stages, people, end)
    return svg.svg(marking.marked(way.scene, way.stages, messages, way.idle, (title, *end), people))


def _called(payment: Mapping[str, Any]) -> str:
    if payment["flow"] == CHOREOGRAPHED:
        return str(payment["workflow"])
    return f"{payment['workflow']}@{payment['workflow_version']}"


def _end(payment: Mapping[str, Any]) -> Sequence[str]:
    """Where it stands; in further lines why, and what was given back."""
    reason = f" ({payment['reason']})" if payment.get("reason") else ""
    by = payment.get("paused")
    paused = f", paused by {by['by'] or 'nobody named'}: {by['reason']}" if by else ""
    now = f"{payment['status'].replace('_', ' ')}{reason}, {payment['updated_at'][:19].replace('T', ' ')}{paused}"
    why = [f"why: {payment['reason_text']}"] if payment.get("reason_text") else []
    of = [f"refund of: {payment['refund_of']}"] if payment.get("refund_of") else []
    refunds = [f"refund: {each['payment_id']} {each['amount']} {each['status']}" for each in payment.get("refunds", ())]
    return (now, *why, *of, *refunds)


def _way(payment: Mapping[str, Any], reactions: Mapping[str, Reactions], messages: Sequence[Told]) -> Way:
    name, version, status = payment["workflow"], payment["workflow_version"], payment["status"]
    if payment["flow"] == CHOREOGRAPHED:
        order = _order(payment)
        known = {(service, on.event.__name__): on for service, on in of_order(reactions, name)}
        heard = {key: on for key, on in known.items() if key in {(each.receiver, each.type) for each in messages}}
        idle = frozenset(key for key, on in heard.items() if is_idle(on, order))
        doing = {key: on for key, on in heard.items() if key not in idle}
        meant = meanings(outline(each) for each in WORKFLOWS.values())
        found = chain_stages(messages, doing, name, meant, status)
        return Way(found, chain_layout.draw(only(chain(reactions, name), frozenset(doing))), idle)
    workflow = WORKFLOWS.get((name, version))
    if workflow is None:
        raise NoDefinition(f"the code at hand has no {name}@{version}; ask for --kind sequence, which needs none")
    process = outline(workflow)
    return Way(stages(process, messages, status), process_layout.draw(process))


def _order(payment: Mapping[str, Any]) -> PaymentOrder:
    """As much of the payment's order as reactions decide on."""
    creditor = payment["creditor"]
    return rehearsal.order(
        payment["workflow"],
        CHOREOGRAPHED,
        payment_id=payment["payment_id"],
        debtor_account=payment["debtor_account"],
        amount=parse_money(payment["amount"], payment["currency"]),
        creditor=Creditor(name=creditor["name"], account=creditor["account"], country=creditor["country"]),
    )

"""A throw-away system and payments of every outcome in both flows, with what a person does about some of them."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from actors.admin.command import DONE, FAILED, VIOLATED, CommandFailed, Interrupted, Invocation
from actors.admin.reading import Reading
from actors.admin.screen import Screen, cell_text
from actors.admin.verify import verify_data
from actors.messaging.envelope import CHOREOGRAPHED, OPERATOR, ORCHESTRATED
from actors.vocabulary.money import Money
from actors.vocabulary.slots import slot_in, slot_of

LIMIT_SECONDS: Final = 22.0  # for all payments; everything around them takes a few more
_LOOK_SECONDS: Final = 0.1
_SETTINGS: Final = {  # a bank that is asked soon and given up soon, so that nobody waits for a minute
    "execution.query_after_seconds": "0.5",
    "execution.query_every_seconds": "0.5",
    "execution.doubt_after_seconds": "3",
    "notification.transport": "files",
}
_DEBTOR: Final = "DEMO-1"
_POOR: Final = "DEMO-POOR"


@dataclass(frozen=True, slots=True)
class Act:
    """What a person does when the payment has come to `when`."""

    when: str
    name: str  # clear, cancel, executed


@dataclass(frozen=True, slots=True)
class Scene:
    """One payment to show, and what has to become of it."""

    story: str
    account: str
    status: str
    reason: str | None = None
    creditor: str = "Annelore Beispiel"
    debtor: str = _DEBTOR
    act: Act | None = None


SCENES: Final = (
    Scene("paid", "DE89370400440532013000", "completed"),
    Scene("the bank's answer is lost, a query tells", "TEST-LOST", "completed"),
    Scene("rejected by the bank", "TEST-REJECT-AC04", "rejected", "AC04"),
    Scene("the debtor's account is unknown", "FR1420041010050500013M02606", "rejected", "AC02", debtor="DEMO-NOBODY"),
    Scene("too little money", "FR1420041010050500013M02606", "rejected", "AM04", debtor=_POOR),
    Scene("the creditor is on a watchlist", "TEST-OK", "rejected", "RR04", creditor="Viktor Blockov"),
    Scene("held, a person clears it", "TEST-OK", "completed", creditor="V. Blockov", act=Act("held", "clear")),
    Scene("held, a person cancels it", "TEST-OK", "cancelled", creditor="V. Blockov", act=Act("held", "cancel")),
    Scene("paid, and sent back", "TEST-RETURN-MD07", "returned", "MD07"),
    Scene("the bank never answers", "TEST-SILENT", "needs_attention"),
    Scene(
        "never answers, a person knows it was paid",
        "TEST-SILENT",
        "completed",
        act=Act("needs_attention", "executed"),
    ),
    Scene("the bank contradicts itself", "TEST-CONTRADICT", "needs_attention"),
)


@dataclass
class Shown:
    """A scene in one flow, as far as it has come."""

    scene: Scene
    flow: str
    payment_id: str = ""
    status: str = "sent"
    reason: str = ""
    reason_text: str = ""
    acted: bool = False

    @property
    def as_expected(self) -> bool:
        """Whether it has come to where it should."""
        scene = self.scene
        done = self.acted or scene.act is None
        return done and self.status == scene.status and scene.reason in (None, self.reason)


@dataclass
class Play:
    """All scenes in both flows."""

    shown: list[Shown] = field(
        default_factory=lambda: [Shown(scene, flow) for scene in SCENES for flow in (ORCHESTRATED, CHOREOGRAPHED)]
    )

    @property
    def as_expected(self) -> bool:
        """Whether all have."""
        return all(each.as_expected for each in self.shown)


def run(invocation: Invocation) -> int:
    """Run the demonstration: 0 only if every outcome is as expected and everything holds."""
    screen = invocation.screen
    began = time.monotonic()
    try:
        with _throw_away_system(invocation) as data:
            screen.note(f"a throw-away system runs in {data}")
            play = Play()
            client = invocation.connect(data)
            try:
                _open_accounts(client)
                _submit(client, play)
                _watch(screen, client, data, play)
            finally:
                client.close()
            verdict = verify_data(data)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the throw-away system was stopped and removed") from None
    document: dict[str, Any] = {
        "ok": play.as_expected and verdict["ok"],
        "seconds": round(time.monotonic() - began, 1),
        "payments": [_as_dict(each) for each in play.shown],
        "verify": verdict,
    }
    screen.show(document, lambda _: _show(screen, play, verdict, document["seconds"]))
    if not verdict["ok"]:
        return VIOLATED
    return DONE if play.as_expected else FAILED


@contextmanager
def _throw_away_system(invocation: Invocation) -> Iterator[Path]:
    from actors.runtime.launch import start_system, stop_system
    from config.settings import SAMPLES, read_settings, write_effective

    data = Path(tempfile.mkdtemp(prefix="paysaga-demo-")).absolute()
    try:
        lists = {"aml.watchlists": f'["{SAMPLES / "watchlist.csv"}"]'}
        settings = read_settings(None, _SETTINGS | lists).model_copy(update={"data": str(data)})
        write_effective(settings, data)
        # Kept by this process: should it be killed, nobody else would ever stop a throw-away system.
        start_system(replace(invocation.plan(settings, data), keeper=os.getpid()))
        yield data
    finally:
        stop_system(data, now=True)
        shutil.rmtree(data, ignore_errors=True)


def _open_accounts(client: Any) -> None:
    from actors.ledger.messages import AccountOpened, OpenAccount

    for account_id, deposit, email in ((_DEBTOR, 1_000_000, "payer@example.org"), (_POOR, 100, None)):
        command = OpenAccount(account_id=account_id, currency="EUR", deposit=deposit, owner="Demo", email=email)
        reply = client.request(command, "ledger", slot_of(account_id))
        if not isinstance(reply, AccountOpened):
            raise CommandFailed(f"the demo's account {account_id} could not be opened: {reply}")


def _submit(client: Any, play: Play) -> None:
    from actors.disbursement.messages import PaymentAccepted, SubmitPayment

    orders = [
        SubmitPayment(
            idempotency_key=f"demo-{number}",
            debtor_account=each.scene.debtor,
            creditor_name=each.scene.creditor,
            creditor_account=each.scene.account,
            creditor_email="creditor@example.org",
            amount=Money(1_000 + number, "EUR"),
            remittance=each.scene.story,
            flow=each.flow,
        )
        for number, each in enumerate(play.shown)
    ]
    for order, reply in client.submit(orders):
        if not isinstance(reply, PaymentAccepted):
            raise CommandFailed(f"an order of the demo was refused: {reply}")
        play.shown[int(order.idempotency_key.removeprefix("demo-"))].payment_id = reply.payment_id


def _watch(screen: Screen, client: Any, data: Path, play: Play) -> None:
    """Follow all payments and do what a person would, until everything is as expected or time is up."""
    deadline = time.monotonic() + LIMIT_SECONDS
    reading = Reading.open(data)
    try:
        with _live(screen, play) as redraw:
            while not play.as_expected and time.monotonic() < deadline:
                _look(reading, play)
                for each in play.shown:
                    if each.scene.act and not each.acted and each.status == each.scene.act.when:
                        _act(client, reading, each, each.scene.act.name)
                redraw()
                time.sleep(_LOOK_SECONDS)
    finally:
        reading.close()


def _look(reading: Reading, play: Play) -> None:
    found = {payment["payment_id"]: payment for payment in reading.payments(limit=2 * len(play.shown))}
    for each in play.shown:
        payment = found.get(each.payment_id)
        if payment:
            each.status = payment["status"]
            each.reason, each.reason_text = payment["reason"] or "", payment["reason_text"] or ""


def _act(client: Any, reading: Reading, shown: Shown, name: str) -> None:
    from actors.aml.messages import DecideReview
    from actors.disbursement.messages import CancelPayment
    from actors.execution.messages import SettleExecution

    payment_id, target = shown.payment_id, ""
    message: Any = None
    if name == "cancel":
        message, target = CancelPayment(payment_id=payment_id, reason="ordered by mistake"), "disbursement"
    elif name == "executed":
        reason = "seen on the account statement"
        message, target = SettleExecution(payment_id=payment_id, executed=True, reason=reason), "execution"
    else:
        cases = [case["case_id"] for case in reading.reviews() if case["payment_id"] == payment_id]
        if cases:
            message = DecideReview(case_id=cases[0], decision="clear", reason="another person of that name")
            target = "aml"
    if message is not None:
        client.request(message, target, slot_in(payment_id), kind=OPERATOR)
        shown.acted = True


@contextmanager
def _live(screen: Screen, play: Play) -> Iterator[Callable[[], None]]:
    """The table, redrawn in place while standard error is a terminal."""
    if not screen.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(file=screen.stderr), refresh_per_second=8, transient=True) as live:
        yield lambda: live.update(_drawn(play))


def _drawn(play: Play) -> Any:
    from rich import box
    from rich.table import Table

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("story", "flow", "status", "reason"):
        drawn.add_column(column)
    for row in _rows(play.shown):
        drawn.add_row(*(cell_text(cell) for cell in row[:4]))
    return drawn


def _rows(shown: Sequence[Shown]) -> list[tuple[str, ...]]:
    return [
        (
            each.scene.story,
            each.flow,
            each.status,
            f"{each.reason} {each.reason_text}".strip(),
            "" if each.as_expected else f"expected {each.scene.status} {each.scene.reason or ''}".strip(),
        )
        for each in shown
    ]


def _show(screen: Screen, play: Play, verdict: dict[str, Any], seconds: float) -> None:
    screen.table(("story", "flow", "status", "reason", ""), _rows(play.shown))
    screen.say("")
    for violation in verdict["violations"]:
        screen.say(f"violated: {violation['check']}: {violation['payment_id'] or ''} {violation['text']}")
    wrong = sum(not each.as_expected for each in play.shown)
    outcome = "every outcome is as expected" if not wrong else f"{wrong} outcomes are not as expected"
    holds = "everything holds that must" if verdict["ok"] else "not everything holds that must"
    screen.say(f"{len(play.shown)} payments in {seconds:.0f} s: {outcome}, {holds}")


def _as_dict(each: Shown) -> dict[str, Any]:
    return {
        "story": each.scene.story,
        "payment_id": each.payment_id,
        "flow": each.flow,
        "status": each.status,
        "reason": each.reason or None,
        "reason_text": each.reason_text,
        "expected": each.scene.status,
        "as_expected": each.as_expected,
    }

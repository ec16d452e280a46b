"""The rules of intake and of a payment's end: what an order must look like, what may follow what. Pure.

`form_errors` is what the client runs before it sends anything and what the service runs again.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from actors.disbursement.messages import SubmitPayment
from actors.messaging import codec
from actors.messaging.envelope import CHOREOGRAPHED, ORCHESTRATED
from actors.vocabulary.money import DECIMALS, LARGEST_AMOUNT_MINOR, Money, decimal_text
from actors.vocabulary.reason import NARRATIVE, Reason

STARTED: Final = "started"  # under way, as far as Disbursement knows
COMPLETED: Final = "completed"
REJECTED: Final = "rejected"
CANCELLED: Final = "cancelled"
RETURNED: Final = "returned"
NEEDS_ATTENTION: Final = "needs_attention"
CONTRADICTED: Final = "contradicted"  # kept for a payment that needs attention since facts contradict each other

FLOWS: Final = (ORCHESTRATED, CHOREOGRAPHED)
LONGEST_TEXT: Final = 140
DIGEST_BYTES: Final = 16
LONGEST_ACCOUNT_ID: Final = 34
LONGEST_END_TO_END_ID: Final = 35
LONGEST_WORKFLOW: Final = 60
LONGEST_AHEAD: Final = timedelta(days=366)

# ISO 3166-1 alpha-2, and XK, which banks use for Kosovo.
_COUNTRIES = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY"
    " BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK"
    " FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR"
    " IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK"
    " ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM"
    " PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF"
    " TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW"
)
COUNTRIES: Final = frozenset(_COUNTRIES.split())

_account_id = re.compile(r"[A-Za-z0-9._:/-]{1,34}").fullmatch
_looks_like_iban = re.compile(r"[A-Za-z]{2}[0-9]{2}[A-Za-z0-9]{11,30}").fullmatch
_email = re.compile(r"[^\s@<>()\[\],;:\"\\]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,63}").fullmatch
_iso_date = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
# What no text may hold: control characters, line separators, half characters, and marks that reorder what is shown.
_unprintable = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]").search


class OrderConflict(Exception):
    """The key stands for an order of other content."""


def form_errors(order: SubmitPayment) -> list[str]:
    """What is wrong with the order's form, a sentence each; empty when it can be taken.

    Says nothing about facts (accounts, funds, sanctions): those end a payment, they don't refuse an order.

    >>> from actors.vocabulary.money import Money
    >>> form_errors(SubmitPayment(idempotency_key="K-1", debtor_account="ACC-1", creditor_name="Example Ltd",
    ...     creditor_account="DE00370400440532013000", amount=Money(0, "EUR")))
    ['creditor_account DE00370400440532013000 is no valid IBAN: check its digits', 'amount must be more than zero']
    """
    return _party_errors(order) + amount_errors(order.amount) + _optional_errors(order)


def amount_errors(amount: Money) -> list[str]:
    """What is wrong with an amount that is to be moved."""
    if amount.currency not in DECIMALS:
        return [f"currency {_shown(amount.currency)} is not an active ISO 4217 code such as EUR"]
    if amount.amount <= 0:
        return ["amount must be more than zero"]
    if amount.amount > LARGEST_AMOUNT_MINOR:
        limit = decimal_text(LARGEST_AMOUNT_MINOR, amount.currency)
        return [f"amount is above the limit of {limit} {amount.currency}"]
    return []


def flow_errors(flow: str | None) -> list[str]:
    """What is wrong with the name of a flow; None is the configured one."""
    if flow is None or flow in FLOWS:
        return []
    return [f"flow {_shown(flow)} is neither orchestrated nor choreographed"]


def _party_errors(order: SubmitPayment) -> list[str]:
    errors: list[str] = []
    key, debtor, name, account = (
        order.idempotency_key,
        order.debtor_account,
        order.creditor_name,
        order.creditor_account,
    )
    # Each line asks first, at little cost, whether all is plainly well: a payment passes here two times.
    if not (key.isprintable() and 0 < len(key) <= LONGEST_TEXT) or key[0] == " " or key[-1] == " ":
        errors += text_errors("idempotency_key", key)
    if not _account_id(debtor):
        errors.append(_bad_account("debtor_account", debtor))
    if not (name.isprintable() and len(name) <= LONGEST_TEXT and name[:1].isalnum()) or name[-1] == " ":
        errors += _name_errors(name)
    if account[2:4].isdigit() and _looks_like_iban(compact := account.replace(" ", "")):
        if not is_iban(compact.upper()):
            errors.append(f"creditor_account {account} is no valid IBAN: check its digits")
    elif not _account_id(account):
        errors.append(_bad_account("creditor_account", account))
    return errors


def _optional_errors(order: SubmitPayment) -> list[str]:
    errors: list[str] = []
    if order.remittance:
        errors += _short_text_errors("remittance", order.remittance, LONGEST_TEXT)
    country = order.creditor_country
    if country is not None and country not in COUNTRIES:
        errors.append(f"creditor_country {_shown(country)} is not an ISO 3166 code of two letters such as DE")
    if order.creditor_email is not None:
        errors += _email_errors(order.creditor_email)
    if order.creditor_date_of_birth is not None:
        errors += _date_errors("creditor_date_of_birth", order.creditor_date_of_birth, "1970-12-31")
    if order.end_to_end_id is not None:
        errors += _short_text_errors("end_to_end_id", order.end_to_end_id, LONGEST_END_TO_END_ID)
    if order.flow is not None:
        errors += flow_errors(order.flow)
    if order.batch_id is not None:
        errors += text_errors("batch_id", order.batch_id)
    if order.execution_date is not None:
        errors += _date_errors("execution_date", order.execution_date, "2030-12-31")
    if order.workflow is not None:
        errors += _short_text_errors("workflow", order.workflow, LONGEST_WORKFLOW)
    return errors


def form_error(order: SubmitPayment) -> str:
    """All of `form_errors` in one sentence; empty when there are none."""
    return "; ".join(form_errors(order))


def digest(order: SubmitPayment) -> bytes:
    """Sixteen bytes that stand for the order's content: every field as given, apart from key and batch.

    What came later counts only where it is given: the digests of orders of before stay what they were.
    """
    amount = order.amount
    content: tuple[object, ...] = (
        order.debtor_account,
        order.creditor_name,
        order.creditor_account,
        amount.amount,
        amount.currency,
        order.creditor_country,
        order.creditor_email,
        order.creditor_date_of_birth,
        order.end_to_end_id,
        order.remittance,
        order.flow,
    )
    if order.execution_date is not None or order.workflow is not None:
        content = (*content, order.execution_date, order.workflow)
    packed = codec.pack(content)
    return blake2b(packed, digest_size=DIGEST_BYTES).digest()


def account_as_sent(account: str) -> str:
    """The creditor's account as it goes to the bank: an IBAN without spaces and in capitals, anything else as given.

    >>> account_as_sent("de89 3704 0044 0532 0130 00"), account_as_sent("TEST-LOST")
    ('DE89370400440532013000', 'TEST-LOST')
    """
    if account[2:4].isdigit() and _looks_like_iban(compact := account.replace(" ", "")):
        return compact.upper()
    return account


@lru_cache(maxsize=65_536)
def is_iban(text: str) -> bool:
    """Whether `text` (capitals, no spaces) is a valid IBAN of a country that has them.

    >>> is_iban("DE89370400440532013000"), is_iban("DE88370400440532013000")
    (True, False)
    """
    from schwifty import IBAN
    from schwifty.exceptions import SchwiftyException

    try:
        IBAN(text)
    except SchwiftyException:
        return False
    return True


def ending(current: str, wanted: str, *, reopens: bool) -> str | None:
    """What a payment that is `current` becomes when `wanted` is heard; None when nothing changes.

    Whatever has ended stays so, but for a return after completion, a contradiction (`completed` against
    `rejected` or `cancelled`, or news that `reopens`): then a person must look. From `needs_attention` a late
    proof leads on, from `contradicted` nothing does. A repeat changes nothing.

    >>> ending("started", "completed", reopens=False), ending("completed", "completed", reopens=False)
    ('completed', None)
    >>> ending("rejected", "completed", reopens=False)
    'needs_attention'
    """
    if wanted == NEEDS_ATTENTION:
        return NEEDS_ATTENTION if reopens or current in (STARTED, NEEDS_ATTENTION) else None
    if current in (STARTED, NEEDS_ATTENTION):
        return wanted
    return _AFTER_THE_END.get((current, wanted))


def kept(current: str, wanted: str, became: str | None, *, reopens: bool) -> str:
    """What is stored of a payment that was `current`, heard `wanted` and thereby `became` something, or nothing new.

    One that has ended keeps its end beside the call for a person. One that is contradicted before its end comes
    keeps that end, too, when it does come; the call stands.

    >>> kept("started", "needs_attention", "needs_attention", reopens=True)
    'contradicted'
    >>> kept("contradicted", "rejected", None, reopens=False)
    'rejected'
    """
    if became is None:
        return wanted if current == CONTRADICTED and wanted != NEEDS_ATTENTION else current
    if became != NEEDS_ATTENTION:
        return became
    if current in (STARTED, NEEDS_ATTENTION):
        return CONTRADICTED if reopens else NEEDS_ATTENTION
    return current


# (what it is, what is heard) → what it becomes. Pairs that are missing change nothing.
_AFTER_THE_END: Final = {
    (COMPLETED, RETURNED): RETURNED,
    (COMPLETED, REJECTED): NEEDS_ATTENTION,
    (COMPLETED, CANCELLED): NEEDS_ATTENTION,
    (RETURNED, REJECTED): NEEDS_ATTENTION,
    (RETURNED, CANCELLED): NEEDS_ATTENTION,
    (REJECTED, COMPLETED): NEEDS_ATTENTION,
    (CANCELLED, COMPLETED): NEEDS_ATTENTION,
    (REJECTED, RETURNED): NEEDS_ATTENTION,
    (CANCELLED, RETURNED): NEEDS_ATTENTION,
}


def reason_of(current: str, wanted: str, became: str, given: Reason | None) -> Reason | None:
    """The reason to show: the given one, or the contradiction in words."""
    if became == wanted:
        return given
    more = f" ({given.code} {given.text})" if given else ""
    return Reason(NARRATIVE, f"the payment was {current}, and then heard to be {wanted}{more}")


def why_not_cancelled(payment_id: str, status: str | None) -> str:
    """The sentence that refuses a cancellation at once; empty while the gate at Execution must decide.

    >>> why_not_cancelled("P1-00", "completed"), why_not_cancelled("P1-00", "started")
    ('payment P1-00 is already completed', '')
    """
    if status is None:
        return f"there is no payment {payment_id[:60]}"
    undecided = status in (STARTED, NEEDS_ATTENTION, CONTRADICTED)
    return "" if undecided else f"payment {payment_id} is already {status}"


def text_errors(field: str, text: str) -> list[str]:
    """What is wrong with a text that must be there and is shown to people."""
    if not text.strip():
        return [f"{field} is empty"]
    errors = _short_text_errors(field, text, LONGEST_TEXT)
    if not errors and text != text.strip():
        errors.append(f"{field} begins or ends with a space")
    return errors


def _short_text_errors(field: str, text: str, longest: int) -> list[str]:
    if len(text) > longest:
        return [f"{field} has {len(text)} characters, at most {longest} are possible"]
    if not text:
        return [f"{field} is empty"]
    if not text.isprintable() and (found := _unprintable(text)):
        return [f"{field} holds a character that can't be shown (U+{ord(found.group()):04X})"]
    return []


def _name_errors(name: str) -> list[str]:
    errors = text_errors("creditor_name", name)
    if not errors and not any(map(str.isalnum, name)):
        errors.append(f"creditor_name {_shown(name)} has neither letter nor digit")
    return errors


def _bad_account(field: str, account: str) -> str:
    if not account:
        return f"{field} is empty"
    return (
        f"{field} {_shown(account)} is no account id: it has 1 to {LONGEST_ACCOUNT_ID} letters, digits"
        " and . _ : / - characters"
    )


def _email_errors(email: str) -> list[str]:
    if len(email) <= 254 and _email(email) and not _unprintable(email):
        return []
    return [f"creditor_email {_shown(email)} is not an address such as name@example.org"]


def when_errors(order: SubmitPayment, today: date) -> list[str]:
    """What is wrong on the day `today` (UTC) with the date of an order whose form is well.

    >>> from actors.vocabulary.money import Money
    >>> order = SubmitPayment(idempotency_key="K-1", debtor_account="A", creditor_name="B", creditor_account="C",
    ...     amount=Money(1, "EUR"), execution_date="2030-01-31")
    >>> when_errors(order, date(2030, 2, 1)), when_errors(order, date(2030, 1, 31))
    (['execution_date 2030-01-31 is in the past'], [])
    """
    if order.execution_date is None:
        return []
    wanted = date.fromisoformat(order.execution_date)
    if wanted < today:
        return [f"execution_date {wanted} is in the past"]
    return [f"execution_date {wanted} is more than a year ahead"] if wanted > today + LONGEST_AHEAD else []


def _date_errors(field: str, text: str, example: str) -> list[str]:
    try:
        if not _iso_date(text):
            raise ValueError
        date.fromisoformat(text)
    except ValueError:
        return [f"{field} {_shown(text)} is not a date such as {example}"]
    return []


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")

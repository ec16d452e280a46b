"""Limits: what one payment and one day may come to, counted once and given back once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from actors.limits import queries
from actors.limits.actor import PaymentLimits
from actors.limits.messages import CheckLimits, LimitExceeded, LimitReleased, ReleaseLimit, WithinLimits
from actors.messaging.message import Message
from actors.vocabulary.money import Money
from config.settings import BadSettings, LimitsSettings, Settings, read_settings
from tests.fakes.turn import ServiceBench


def bench(**limits: Any) -> ServiceBench:
    """The service with these limits."""
    return ServiceBench(PaymentLimits, Settings(limits=LimitsSettings(**limits)))


def check(service: ServiceBench, amount: int, check_id: str = "P1-00", account: str = "ACC-1") -> Message:
    """The answer to one check."""
    (answer,) = service.tell(
        CheckLimits(check_id=check_id, account_id=account, amount=Money(amount, "EUR")), payment_id=check_id
    ).answers
    return answer


def code(answer: Message) -> str:
    """The ISO code of a refusal."""
    assert isinstance(answer, LimitExceeded), answer
    return answer.reason.code


def release(service: ServiceBench, check_id: str = "P1-00") -> None:
    """Give it back."""
    assert service.tell(ReleaseLimit(check_id=check_id)).answers == [LimitReleased(check_id=check_id)]


def test_without_limits_every_amount_is_within_and_still_recorded() -> None:
    """Whoever sets one later in the day finds what was paid before."""
    service = bench()
    assert check(service, 10**9) == WithinLimits(check_id="P1-00")
    shown = queries.check_of(service.session, "P1-00")
    assert shown is not None
    assert (shown["amount"], shown["counted"], shown["day"]) == ("10000000.00", True, "2030-01-01")


def test_one_payment_above_its_maximum_is_refused_alone() -> None:
    """It counts nothing, so that smaller ones still go."""
    service = bench(per_payment={"EUR": "10.00"}, per_day={"EUR": "10.00"})
    assert code(check(service, 1_001)) == "AM02"
    assert isinstance(check(service, 1_000, "P2-00"), WithinLimits)


def test_a_days_payments_of_an_account_are_summed() -> None:
    """Each within its maximum, all of them too much; the next day, and another account, begin at nothing."""
    service = bench(per_day={"EUR": "10.00"})
    assert isinstance(check(service, 600, "P1-00"), WithinLimits)
    refused = check(service, 401, "P2-00")
    assert code(refused) == "AM14"
    assert isinstance(refused, LimitExceeded)
    assert refused.reason.text == (
        "4.01 EUR and the 6.00 EUR that ACC-1 pays today already are more than its limit of 10.00 EUR a day"
    )
    assert isinstance(check(service, 400, "P3-00"), WithinLimits)
    assert isinstance(check(service, 1_000, "P4-00", "ACC-2"), WithinLimits)
    service.now += timedelta(days=1)
    assert isinstance(check(service, 1_000, "P5-00"), WithinLimits)


def test_the_same_check_again_counts_once_and_gets_its_answer() -> None:
    """A resend is no second payment, and a refusal stands."""
    service = bench(per_day={"EUR": "10.00"})
    assert check(service, 600) == check(service, 600)
    assert code(check(service, 500, "P2-00")) == code(check(service, 500, "P2-00"))
    assert isinstance(check(service, 400, "P3-00"), WithinLimits)
    assert code(check(service, 1)) == "NARR"


def test_what_is_not_paid_is_given_back_to_its_own_day() -> None:
    """Once, whenever the release comes."""
    service = bench(per_day={"EUR": "10.00"})
    check(service, 1_000)
    service.now += timedelta(days=1)
    check(service, 1_000, "P2-00")
    release(service)
    release(service)
    assert code(check(service, 1, "P3-00")) == "AM14"
    service.now -= timedelta(days=1)
    assert isinstance(check(service, 1_000, "P4-00"), WithinLimits)


def test_a_check_that_comes_after_its_release_counts_nothing() -> None:
    """The payment was stopped: the tombstone answers."""
    service = bench(per_day={"EUR": "10.00"})
    release(service)
    assert check(service, 1_000) == LimitReleased(check_id="P1-00")
    assert isinstance(check(service, 1_000, "P2-00"), WithinLimits)


@pytest.mark.parametrize(
    ("value", "said"), [('{EUR = "ten"}', "is not a number such as 12.50"), ('{XXL = "10"}', "ISO 4217")]
)
def test_a_limit_that_is_no_amount_is_refused_at_the_start(value: str, said: str) -> None:
    """A typo in a limit would be no limit."""
    with pytest.raises(BadSettings, match=said):
        read_settings(None, {"limits.per_day": value})

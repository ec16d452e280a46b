"""Every setting, typed, with its default: a TOML file, over it the environment, over that `--set`.

In the environment `ledger.hold_seconds` is `PAYSAGA_LEDGER__HOLD_SECONDS`.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

CONFIG: Final = Path(__file__).parent
SAMPLES: Final = CONFIG / "samples"
EMBEDDED: Final = CONFIG / "embedded.toml"  # what `start` uses unless told otherwise
LONGEST_FILE: Final = 64 * 1024  # bytes; ten times all settings there are with their comments
EFFECTIVE: Final = "run/settings.json"  # in the data directory: what the running system was started with


class BadSettings(ValueError):
    """The configuration can't be used; the text is one sentence that says what to change."""


class Section(BaseModel):
    """A part of the settings; an unknown key is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _group(text: str) -> str:
    if not re.fullmatch(r"[a-z]+(\+[a-z]+)*(:([1-9]|[1-5][0-9]|6[0-4]))?", text):
        raise ValueError(
            "a group is services joined by +, with the number of its cells (1 to 64) after a colon if it is not one,"
            " such as ledger+aml or payment:2"
        )
    return text


GroupOfServices = Annotated[str, AfterValidator(_group)]


class TopologySettings(Section):
    """How many cells there are and what each one holds."""

    name: Literal["embedded", "partitioned", "isolated"] = Field(
        default="embedded", description="one cell for all, several that share the accounts, or a cell for each service"
    )
    cells: int = Field(default=1, ge=1, le=64, description="cells that share the debtor accounts")
    groups: tuple[GroupOfServices, ...] = Field(
        default=(),
        description="isolated: the services that live together, `ledger+aml`, and in how many cells, `payment:2`",
    )

    @model_validator(mode="after")
    def _groups_are_isolation(self) -> Self:
        """One way of saying how many cells there are, not two."""
        if (self.name == "isolated") != bool(self.groups):
            raise ValueError("isolated needs groups, and only isolated has any; config/isolated.toml shows them")
        return self


class RuntimeSettings(Section):
    """Turns, retries, memory."""

    turn_envelopes: int = Field(default=256, ge=1, description="inbound envelopes that one turn takes at most")
    turn_budget: int = Field(
        default=20_000, ge=100, description="messages that one turn may handle before it is cut up"
    )
    resident_sagas: int = Field(default=2_000, ge=0, description="sagas kept in memory between turns")
    immediate_retries: int = Field(default=2, ge=0, description="how often a failing handler is run again at once")
    delayed_retries: int = Field(default=5, ge=0, description="how often after that, with backoff")
    retry_initial_seconds: float = Field(
        default=0.5, gt=0, description="pause before the first delayed retry; doubled each time"
    )
    retry_maximum_seconds: float = Field(default=60, gt=0, description="longest pause between retries")
    retry_rate: float = Field(
        default=200, gt=0, description="delayed retries a second for one service in a cell; what exceeds it is put off"
    )
    ramp_first: int = Field(
        default=8,
        ge=1,
        description="tasks that a rail, mail server or database gets first after an outage; then doubled",
    )
    ramp_pause_seconds: float = Field(default=0.1, gt=0, description="pause between those batches, with jitter")
    suspect_limit: int = Field(
        default=3, ge=1, description="process deaths that one message may cause before it is dead-lettered"
    )
    seed: int | None = Field(default=None, description="seed of the runtime's source of chance; None: from the system")


class OverloadSettings(Section):
    """How much work may wait before new orders are told `busy, retry after …`."""

    queue_seconds: float = Field(
        default=2, gt=0, description="how long orders may wait for their cell before new ones are told to come later"
    )
    backlog_seconds: float = Field(
        default=10, gt=0, description="the same for what a cell has stored for the rail, by the rate at which it drains"
    )
    backlog: int = Field(
        default=50_000, ge=1, description="stored tasks, retries or envelopes for a peer after which a cell is busy"
    )


class StoreSettings(Section):
    """The cells' store."""

    synchronous: Literal["FULL", "NORMAL", "OFF"] = Field(
        default="FULL", description="FULL: what was acknowledged survives a power cut"
    )
    checkpoint_pages: int = Field(default=10_000, ge=100, description="WAL pages after which SQLite checkpoints")
    cache_mb: int = Field(default=64, ge=1, description="SQLite's page cache, for each cell")
    check_at_start: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="whether every page and seal is checked at a start; auto: where there is doubt (a copy, a machine"
        " that went down), and where it takes no time",
    )
    check_limit_mb: int = Field(
        default=1_024, ge=0, description="with auto a larger store is not checked at the start, only by verify --deep"
    )


RestartKind = Literal["permanent", "transient", "temporary"]


class SupervisionSettings(Section):
    """Restart policy, in OTP's words, for the processes (gateway, cells) and for the actors in the cells."""

    strategy: Literal["one_for_one", "rest_for_one", "one_for_all"] = Field(
        default="one_for_one", description="who is restarted with the one that failed: nobody, those started later, all"
    )
    restart: RestartKind = Field(
        default="permanent",
        description="permanent: a process that ends is always restarted; transient: unless it ended in good order; "
        "temporary: never",
    )
    restart_of: dict[str, RestartKind] = Field(
        default={}, description='processes that differ from `restart`, by name, such as {cell-1 = "temporary"}'
    )
    intensity: int = Field(default=10, ge=0, description="failures allowed within the period")
    period_seconds: float = Field(default=60, gt=0, description="the period that `intensity` counts in")
    exceeded: Literal["give_up", "stop"] = Field(
        default="give_up",
        description="what more failures mean: give_up leaves that cell down while the others serve; stop, counting "
        "all of them together, ends the system, for a service manager to start it again",
    )
    actor_intensity: int = Field(
        default=1_000,
        ge=0,
        description="failures of one service's actors within the period before its cell is restarted",
    )
    backoff_initial_seconds: float = Field(
        default=0.05, ge=0, description="pause before the second restart in a period; then multiplied each time"
    )
    backoff_factor: float = Field(default=2, ge=1, description="by this")
    backoff_maximum_seconds: float = Field(default=5, ge=0, description="longest pause before a restart")
    backoff_jitter: float = Field(default=0.25, ge=0, le=1, description="share of a pause that chance may take off")
    heartbeat_seconds: float = Field(default=1, gt=0, description="how often a cell is asked whether it still answers")
    silent_seconds: float = Field(default=10, gt=0, description="a cell that has not answered for so long is killed")
    ready_seconds: float = Field(
        default=120, gt=0, description="a process that has not recovered from its store for so long is killed"
    )
    stop_seconds: float = Field(
        default=10, gt=0, description="at a stop, a process that has not closed its store for so long is killed"
    )

    @model_validator(mode="after")
    def _pauses_can_grow(self) -> Self:
        """Each is possible by itself, both together may not be."""
        if self.backoff_initial_seconds > self.backoff_maximum_seconds:
            raise ValueError("backoff_initial_seconds must not exceed backoff_maximum_seconds")
        return self


class DisbursementSettings(Section):
    """Intake."""

    flow: Literal["orchestrated", "choreographed"] = Field(
        default="orchestrated", description="the flow of an order that names none"
    )
    workflow: str = Field(
        default="debit-first",
        pattern=r"^[a-z][a-z0-9-]*(@[1-9][0-9]{0,5})?$",
        description="what new payments run on unless their order says otherwise: a workflow's name, in its newest"
        " version, or name@version",
    )
    refund_days: float = Field(
        default=180, gt=0, description="how long after a payment was accepted a refund of it may be asked for"
    )


class LedgerSettings(Section):
    """The ledger."""

    hold_seconds: float = Field(
        default=7 * 86_400, gt=0, description="how long a debit is held before its expiry is announced"
    )


class AmlSettings(Section):
    """Screening."""

    watchlists: tuple[str, ...] = Field(
        default=(str(SAMPLES / "watchlist.csv"),), description="lists in force from the first start"
    )
    block_at: float = Field(default=95, ge=0, le=100, description="score from which a beneficiary is blocked")
    hold_at: float = Field(default=72, ge=0, le=100, description="score from which a person must decide")
    review_seconds: float = Field(
        default=2 * 86_400, gt=0, description="time a person has to decide before the review is overdue"
    )


class ApprovalSettings(Section):
    """People's approval, where a workflow asks for it."""

    approvers: tuple[str, ...] = Field(
        default=(), description="who may approve, as they say they are called with --by; empty: whoever may act at all"
    )
    approvals: int = Field(
        default=2,
        ge=1,
        le=10,
        description="how many different people must agree, unless the workflow says another number",
    )
    review_seconds: float = Field(
        default=2 * 86_400, gt=0, description="time they have before it is overdue, unless the workflow says another"
    )


def _amounts(limits: dict[str, str]) -> dict[str, str]:
    from actors.vocabulary.money import parse_money

    for currency, amount in limits.items():
        parse_money(amount, currency, zero_allowed=True)
    return limits


AmountByCurrency = Annotated[dict[str, str], AfterValidator(_amounts)]


class LimitsSettings(Section):
    """What a debtor account may pay out, where a workflow checks it; a currency that is not named has no limit."""

    per_payment: AmountByCurrency = Field(
        default={}, description='the largest single payment, by currency, such as {EUR = "10000.00"}'
    )
    per_day: AmountByCurrency = Field(
        default={}, description="the most that one account may pay in a day (UTC), by currency"
    )


class ExecutionSettings(Section):
    """The rail and the doubt about it."""

    rail: Literal["simulated"] = Field(default="simulated", description="the rail that payments are handed to")
    delay_ms: tuple[float, float] = Field(default=(5, 50), description="the simulated rail's answer time, from and to")
    query_after_seconds: float = Field(default=5, gt=0, description="without an answer for so long, the rail is asked")
    query_every_seconds: float = Field(default=10, gt=0, description="and asked again after so long")
    doubt_after_seconds: float = Field(
        default=60, gt=0, description="without proof for so long, the payment needs attention"
    )


class PaymentSettings(Section):
    """The saga; a step's own timeouts stand in payment/workflow.py and are multiplied by this."""

    timeout_factor: float = Field(default=1, gt=0, description="multiplies every step's timeout")


class NotificationSettings(Section):
    """Mail."""

    transport: Literal["files", "smtp", "none"] = Field(
        default="files", description="files: each mail as a file under mail/ in the data directory"
    )
    sender: str = Field(default="payments@paysaga.example", description="the address that mails come from")
    smtp_host: str = Field(default="127.0.0.1", description="the mail server, for transport smtp")
    smtp_port: int = Field(default=25, ge=1, le=65_535, description="and its port")
    attempts: int = Field(default=5, ge=1, description="how often a mail is tried before it counts as failed")


class ReplicationSettings(Section):
    """The reporting database."""

    enabled: bool = Field(default=True, description="whether payments are copied into a reporting database")
    url: str = Field(
        default="", description="SQLAlchemy URL; empty: SQLite at replica/payments.db in the data directory"
    )


class TrackerSettings(Section):
    """Deadlines after which a payment that has not moved needs attention."""

    stalled_after_seconds: float = Field(
        default=30, gt=0, description="a payment that nobody moved for so long needs attention"
    )
    executing_after_seconds: float = Field(default=180, gt=0, description="the same while it is at the bank")
    sweep_seconds: float = Field(default=1, gt=0, description="how often deadlines are looked at")


class OperatorsSettings(Section):
    """Who may act on payments, and how fast what is done to many of them goes."""

    names: tuple[str, ...] = Field(
        default=(), description="who may act on payments, as they say they are called with --by; empty: anyone"
    )
    four_eyes: tuple[Literal["pause", "resume", "retry", "restart", "cancel", "settle", "migrate", "bulk"], ...] = (
        Field(
            default=(),
            description="what takes two people with different names; bulk: whatever is done to more than one"
            " payment at once",
        )
    )
    items_per_second: float = Field(
        default=2_000, gt=0, description="payments of jobs that a cell takes on in a second, running payments go on"
    )


class LogSettings(Section):
    """Logging."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="the least that is logged")
    format: Literal["auto", "text", "json"] = Field(
        default="auto", description="auto: text on a terminal, JSON lines otherwise"
    )


class Settings(BaseSettings):
    """Everything that can be configured."""

    model_config = SettingsConfigDict(env_prefix="PAYSAGA_", env_nested_delimiter="__", extra="forbid", frozen=True)

    data: str = Field(default="data", description="the data directory; `--data` and `PAYSAGA_DATA` say the same")
    topology: TopologySettings = TopologySettings()
    runtime: RuntimeSettings = RuntimeSettings()
    overload: OverloadSettings = OverloadSettings()
    store: StoreSettings = StoreSettings()
    supervision: SupervisionSettings = SupervisionSettings()
    disbursement: DisbursementSettings = DisbursementSettings()
    ledger: LedgerSettings = LedgerSettings()
    aml: AmlSettings = AmlSettings()
    approval: ApprovalSettings = ApprovalSettings()
    limits: LimitsSettings = LimitsSettings()
    execution: ExecutionSettings = ExecutionSettings()
    payment: PaymentSettings = PaymentSettings()
    notification: NotificationSettings = NotificationSettings()
    replication: ReplicationSettings = ReplicationSettings()
    tracker: TrackerSettings = TrackerSettings()
    operators: OperatorsSettings = OperatorsSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given: `read_settings` lays the sources over each other; tests see no environment."""
        return (init_settings,)


def read_settings(path: Path | None = None, overrides: dict[str, str] | None = None) -> Settings:
    """The settings from a TOML file, the environment and `overrides` (`ledger.hold_seconds` → text).

    Raises:
        BadSettings: with a sentence that names the key.
    """
    values = _file(path) if path is not None else {}
    try:
        _lay_over(values, _environment())
        for key, text in (overrides or {}).items():
            _put(values, key, text)
        return Settings(**values)
    except ValidationError as error:
        raise BadSettings(_sentence(error)) from error


def write_effective(settings: Settings, data: Path) -> None:
    """Put the settings where every process of the system reads them, whole or not at all."""
    path = data / EFFECTIVE
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(".settings.json")
    draft.unlink(missing_ok=True)
    with open(draft, "w", encoding="utf-8", opener=_for_the_owner) as file:
        file.write(settings.model_dump_json(indent=1))
    draft.replace(path)


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def effective_settings(data: Path) -> Settings:
    """What the system in `data` was last started with.

    Raises:
        BadSettings: it never was, or the file was changed by hand.
    """
    path = data / EFFECTIVE
    try:
        return Settings.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadSettings(f"{path} can't be read ({error.strerror}); start the system in {data} first") from error
    except ValidationError as error:
        raise BadSettings(f"{path} is damaged ({_sentence(error)}); start the system again") from error


def section_of(name: str) -> type[BaseModel] | None:
    """The class of the section `name`, or None where there is no such section."""
    field = Settings.model_fields.get(name)
    kind = field.annotation if field else None
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _file(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            content = file.read(LONGEST_FILE + 1)
        if len(content) <= LONGEST_FILE:
            return tomllib.loads(content.decode())
    except OSError as error:
        raise BadSettings(f"the configuration {path} can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # ValueError: no TOML, no UTF-8, a number of thousands of digits
        raise BadSettings(f"the configuration {path} is not TOML: {error}") from error
    raise BadSettings(f"the configuration {path} has more than {LONGEST_FILE} bytes; name a TOML file of settings")


def _environment() -> dict[str, Any]:
    """What the environment sets; a section that doesn't exist is refused rather than overlooked."""
    for variable in os.environ:
        name, separator, _ = variable.upper().removeprefix("PAYSAGA_").partition("__")
        if variable.upper().startswith("PAYSAGA_") and separator and section_of(name.lower()) is None:
            raise BadSettings(f"the variable {variable} sets nothing: there is no section {name.lower()}")
    try:
        return dict(EnvSettingsSource(Settings)())
    except SettingsError as error:
        raise BadSettings(f"the environment can't be used: {error}") from error


def _lay_over(below: dict[str, Any], above: dict[str, Any]) -> None:
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            _lay_over(below[key], value)
        else:
            below[key] = value


def _put(values: dict[str, Any], key: str, text: str) -> None:
    section, _, name = key.rpartition(".")
    fields = getattr(section_of(section), "model_fields", {}) if section else Settings.model_fields
    if section_of(key) is not None:
        raise BadSettings(f"{key} is a section; name a setting in it, such as {key}.{_first_of(key)}")
    if name not in fields:
        raise BadSettings(f"setting {key} does not exist; docs/reference/settings.md lists them")
    at = values.setdefault(section, {}) if section else values
    if not isinstance(at, dict):
        raise BadSettings(f"setting {section}: it is a section, not {at!r}")
    try:
        at[name] = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        at[name] = text


def _first_of(section: str) -> str:
    return next(iter(getattr(section_of(section), "model_fields", {})), "name")


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"setting {where} does not exist; docs/reference/settings.md lists them"
    if isinstance(first["input"], dict):  # several settings that don't fit each other; the sentence names them
        return f"setting {where}: {first['msg'].removeprefix('Value error, ')}"
    shown = repr(first["input"])
    said = first["msg"].removeprefix("Value error, ").replace("a valid tuple", "a list")
    return f"setting {where}: {said}, not {shown if len(shown) <= 200 else shown[:200] + '…'}"

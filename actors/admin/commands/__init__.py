"""All commands, by topic; the command line and the admin shell both offer exactly these."""

from __future__ import annotations

from actors.admin.command import Command, Group
from actors.admin.commands import (
    accounts,
    approvals,
    backups,
    compare,
    decisions,
    directory,
    drills,
    jobs,
    lifecycle,
    operators,
    payments,
    pictures,
    refunds,
    simulation,
    steering,
    verification,
    versions,
    workflow,
)

GROUPS: tuple[Group, ...] = (
    Group(name="account", help="accounts, balances, postings"),
    Group(name="batch", help="submitted files"),
    Group(name="lists", help="watchlists in force"),
    Group(name="review", help="held beneficiaries that a person decides on"),
    Group(name="approvals", help="payments that people must agree to"),
    Group(name="dead-letters", help="messages that no handler could take"),
    Group(name="jobs", help="what is being done to many payments"),
    Group(name="actions", help="what waits for a second person"),
    Group(name="service", help="services that can be paused"),
    Group(name="rail", help="the ways to the bank, which can be paused"),
    Group(name="workflow", help="the order of steps, drawn from the code"),
)
COMMANDS: tuple[Command, ...] = (
    *lifecycle.COMMANDS,
    *accounts.COMMANDS,
    *payments.COMMANDS,
    *refunds.COMMANDS,
    *decisions.COMMANDS,
    *jobs.COMMANDS,
    *operators.COMMANDS,
    *approvals.COMMANDS,
    *steering.COMMANDS,
    *directory.COMMANDS,
    *workflow.COMMANDS,
    *pictures.COMMANDS,
    *versions.COMMANDS,
    *verification.COMMANDS,
    *simulation.COMMANDS,
    *backups.COMMANDS,
    *drills.COMMANDS,
    *compare.COMMANDS,
)

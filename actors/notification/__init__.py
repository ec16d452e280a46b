"""Notification: mails debtor and creditor when a payment ends."""

#!/usr/bin/env python3
"""Payments through the oracle. Every expected value is reckoned by hand from docs/payments.md."""
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from scenario import Scenario, master    # noqa: E402

INVOICE = {"E1/I1/invoice_without_order/1": ["debit 4000 100.00", "credit 1600 100.00"]}


class Payments(Scenario):
    def setUp(self):
        super().setUp()
        self.coded("i", "I1", "100.00", number="N1")

    def expect_with_invoice(self, journals):
        self.expect_journals({**INVOICE, **journals})

    def test_from_instruction_to_statement(self):
        self.instruct("p", "100.00")
        self.payment("s", "sent")
        self.payment("a", "bank_accepted")
        self.payment("again", "bank_accepted")
        self.payment("c", "settled", amount="102.50", charges="2.50")
        self.payment("twice", "settled")
        self.expect({"i": "accepted", "p": "accepted", "s": "accepted", "a": "accepted", "again": "accepted NO_EFFECT", "c": "accepted",
                     "twice": "rejected ALREADY_CLEARED"})
        self.expect_with_invoice({"E1/P1/payment_sent/1": ["debit 1600 100.00", "credit 1700 100.00"],
                                  "E1/P1/payment_settled/1": ["debit 1700 100.00", "debit 4680 2.50", "credit 1100 102.50"]})

    def test_approval_from_an_amount_on(self):
        self.master = master(payment_approval="100.00")
        self.instruct("p", "100.00")
        self.payment("s", "sent")
        self.payment("self", "approved", user="ann")
        self.payment("ok", "approved", user="bob")
        # The payment waits for an approval; one by who instructed it is none.
        self.expect({"i": "accepted", "p": "accepted", "s": "accepted", "self": "rejected SELF_APPROVAL", "ok": "accepted"})
        self.expect_with_invoice({"E1/P1/payment_sent/1": ["debit 1600 100.00", "credit 1700 100.00"]})

    def test_rejected_by_the_bank_and_paid_again(self):
        self.instruct("p", "100.00")
        self.payment("s", "sent")
        self.instruct("early", "100.00", "P2")          # all of it is sent: released when it comes back
        self.payment("r", "bank_rejected")
        self.payment("late", "settled")
        self.payment("s2", "sent", "P2")
        self.expect({"i": "accepted", "p": "accepted", "s": "accepted", "early": "accepted", "r": "accepted", "late": "held PAYMENT_UNMATCHED", "s2": "accepted"})
        self.expect_with_invoice({"E1/P1/payment_sent/1": ["debit 1600 100.00", "credit 1700 100.00"],
                                  "E1/P1/payment_sent_reversal/1": ["credit 1600 100.00", "debit 1700 100.00"],
                                  "E1/P2/payment_sent/1": ["debit 1600 100.00", "credit 1700 100.00"]})

    def test_returned_after_settlement_less_what_the_bank_kept(self):
        self.instruct("p", "100.00")
        self.payment("s", "sent")
        self.payment("c", "settled")
        self.payment("b", "returned", amount="95.00", charges="5.00")
        self.payment("again", "returned")
        self.expect({"i": "accepted", "p": "accepted", "s": "accepted", "c": "accepted", "b": "accepted", "again": "rejected ALREADY_REVERSED"})
        self.expect_with_invoice({"E1/P1/payment_sent/1": ["debit 1600 100.00", "credit 1700 100.00"],
                                  "E1/P1/payment_settled/1": ["debit 1700 100.00", "credit 1100 100.00"],
                                  "E1/P1/payment_sent_reversal/1": ["credit 1600 100.00", "debit 1700 100.00"],
                                  "E1/P1/payment_returned/1": ["debit 1100 95.00", "debit 4680 5.00", "credit 1700 100.00"]})

    def test_cancelled_after_it_was_paid_and_refunded(self):
        self.instruct("p", "100.00")
        self.payment("s", "sent")
        self.payment("early", "refunded", "R1", currency="EUR", amount="100.00", bank_account="MAIN", items=[{"document": "I1", "amount": "100.00"}])
        self.said("x", "cancelled", "I1")
        self.payment("more", "refunded", "R2", currency="EUR", amount="0.01", bank_account="MAIN", items=[{"document": "I1", "amount": "0.01"}])
        # Nothing is owed by the supplier until the invoice is cancelled: 0 - 100.00 paid; after the refund nothing again.
        self.expect({"i": "accepted", "p": "accepted", "s": "accepted", "early": "accepted", "x": "accepted", "more": "held ALREADY_CLEARED"})
        self.expect_with_invoice({"E1/P1/payment_sent/1": ["debit 1600 100.00", "credit 1700 100.00"],
                                  "E1/I1/invoice_without_order_reversal/1": ["credit 4000 100.00", "debit 1600 100.00"],
                                  "E1/R1/payment_refunded/1": ["debit 1100 100.00", "credit 1600 100.00"]})

    def test_blocked_and_unknown(self):
        self.said("b", "blocked", "I1")
        self.instruct("p", "100.00")
        self.payment("s", "sent")
        self.instruct("u", "7.00", "P9", "I9")
        self.payment("su", "sent", "P9")
        self.instruct("much", "100.01", "P3")
        self.said("f", "unblocked", "I1")
        self.expect({"i": "accepted", "b": "accepted", "p": "accepted", "s": "accepted", "u": "parked ORIGINAL_UNKNOWN", "su": "parked OUT_OF_ORDER",
                     "much": "held ALREADY_CLEARED", "f": "accepted"})
        self.expect_with_invoice({"E1/P1/payment_sent/1": ["debit 1600 100.00", "credit 1700 100.00"]})

    def test_waits_so_many_days(self):
        self.instruct("u", "7.00", "P9", "I9")
        self.payment("later", "sent", "P8", day=31)
        self.expect({"i": "accepted", "u": "held ORIGINAL_UNKNOWN", "later": "parked ORIGINAL_UNKNOWN"})


if __name__ == "__main__":
    unittest.main()

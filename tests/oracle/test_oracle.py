#!/usr/bin/env python3
"""Small scenarios through the oracle. Every expected value is reckoned by hand in the comment above it, from docs/purchase-to-pay.md."""
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import report                                                                     # noqa: E402
from amounts import floor_to_unit, parse_decimal, round_half_up                   # noqa: E402
from coverage import lowest_uncovered, united, without                            # noqa: E402
from events import key_of, murmur2                                                # noqa: E402
from invoices import normalised                                                   # noqa: E402
from scenario import EXPENSE, GRNI, PAYABLE, VARIANCE, Scenario, master, rules    # noqa: E402


class Procurement(Scenario):
    def test_receipt(self):
        self.order()
        self.receipt("r", "G1", "4")
        self.expect({"o": "accepted", "r": "accepted"})
        # 4 of 10 units of 100.00 are 40.00; 60.00 stay committed.
        self.expect_journals({"E1/G1/goods_receipt/1": ["debit 4000 40.00", "credit 1900 40.00"]})
        self.expect_committed("60.00")

    def test_parts_add_up(self):
        self.order(quantity="3", net="100.00")
        for number in ("1", "2", "3"):
            self.receipt("r" + number, "G" + number, "1")
        self.expect({"o": "accepted", "r1": "accepted", "r2": "accepted", "r3": "accepted"})
        # 100/3 = 33.33…, 200/3 = 66.66…, so 33.33, 66.66 - 33.33 = 33.33, 100 - 66.66 = 33.34.
        self.expect_journals({"E1/G1/goods_receipt/1": ["debit 4000 33.33", "credit 1900 33.33"],
                              "E1/G2/goods_receipt/1": ["debit 4000 33.33", "credit 1900 33.33"],
                              "E1/G3/goods_receipt/1": ["debit 4000 33.34", "credit 1900 33.34"]})
        self.expect_committed("0.00")

    def test_receipt_cancelled_once(self):
        self.order()
        self.receipt("r", "G1", "4")
        self.procurement("c", "goods_receipt_cancelled", "G2", reverses="G1")
        self.procurement("again", "goods_receipt_cancelled", "G3", reverses="G1")
        self.procurement("none", "goods_receipt_cancelled", "G4", reverses="G9")
        self.receipt("same", "G1", "4")
        self.expect({"o": "accepted", "r": "accepted", "c": "accepted", "again": "rejected ALREADY_REVERSED",
                     "none": "held ORIGINAL_UNKNOWN", "same": "rejected DUPLICATE_DOCUMENT"})
        self.expect_journals({"E1/G1/goods_receipt/1": ["debit 4000 40.00", "credit 1900 40.00"],
                              "E1/G1/goods_receipt_reversal/1": ["credit 4000 40.00", "debit 1900 40.00"]})
        self.expect_committed("100.00")

    def test_over_received(self):
        self.master = master(quantity_percent="10")
        self.order()
        self.receipt("within", "G1", "11")          # 11 = 10 × 1.1
        self.receipt("over", "G2", "0.000001")
        self.receipt("none", "G3", "0")
        self.expect({"o": "accepted", "within": "accepted", "over": "held OVER_RECEIVED ZERO_VALUE", "none": "held QUANTITY_TOLERANCE"})
        # 100.00 × 11 / 10 = 110.00, 10.00 more than was committed: reported, not clipped.
        self.expect_committed("-10.00")

    def test_order_life(self):
        self.procurement("q", "requisition", "B1", net="90.00")
        self.procurement("q2", "requisition", "B2", net="95.00")
        self.order()
        self.order("twice")
        self.procurement("silent", "order_changed", "O1")
        self.procurement("changed", "order_changed", "O1", "20", "300.00")
        self.receipt("r", "G1", "5")                # 300 × 5 / 20 = 75.00
        self.procurement("cancel", "order_cancelled", "O1")
        self.procurement("cancel2", "order_cancelled", "O1")
        self.receipt("late", "G2", "5")
        self.expect({"q": "accepted", "q2": "accepted NO_EFFECT", "o": "accepted", "twice": "rejected DUPLICATE_DOCUMENT",
                     "silent": "accepted NO_EFFECT", "changed": "accepted", "r": "accepted", "cancel": "accepted",
                     "cancel2": "accepted NO_EFFECT", "late": "held ORDER_DELETED"})
        self.expect_committed("0.00")

    def test_reopened_and_completed(self):
        self.order()
        self.receipt("r", "G1", "3")
        self.procurement("x", "order_cancelled", "O1")
        self.procurement("open", "order_reopened", "O1")
        self.procurement("open2", "order_reopened", "O1")
        self.expect({"o": "accepted", "r": "accepted", "x": "accepted", "open": "accepted", "open2": "accepted NO_EFFECT"})
        self.expect_committed("70.00")              # 100.00 less the 30.00 received
        self.procurement("done", "order_completed", "O1")
        self.procurement("done2", "order_completed", "O1")
        self.receipt("after", "G2", "1")
        self.expect({"o": "accepted", "r": "accepted", "x": "accepted", "open": "accepted", "open2": "accepted NO_EFFECT",
                     "done": "accepted", "done2": "accepted NO_EFFECT", "after": "accepted DELIVERY_COMPLETED"})
        # Completed, nothing is committed, and a receipt relieves nothing.
        self.expect_committed("0.00")

    def test_receipt_waits_for_order(self):
        self.receipt("r", "G1", "4")
        self.receipt("behind", "G1", "1")
        self.procurement("q", "goods_received", "G2", "1", order="O2")
        self.order()
        # G1 is decided when O1 comes; what stood behind it is the same document again. O2 never comes.
        self.expect({"r": "accepted", "behind": "rejected DUPLICATE_DOCUMENT", "q": "parked ORDER_UNKNOWN", "o": "accepted"})

    def test_early_change_does_not_keep_its_order_out(self):
        self.procurement("changed", "order_changed", "O1", "10", "120.00")
        self.order()
        self.expect({"changed": "accepted", "o": "accepted"})
        self.expect_committed("120.00")

    def test_waiting_receipt_cancelled(self):
        self.receipt("r", "G1", "4")
        self.procurement("c", "goods_receipt_cancelled", "G2", reverses="G1")
        self.order()
        self.procurement("c2", "goods_receipt_cancelled", "G3", reverses="G1")
        self.expect({"r": "rejected ALREADY_REVERSED", "c": "accepted NO_EFFECT", "o": "accepted", "c2": "held ORIGINAL_UNKNOWN"})
        self.expect_journals({})

    def test_wait_limit(self):
        self.receipt("r", "G1", "4", day=0)
        self.procurement("before", "status", "X", day=89.999)
        self.expect({"r": "parked ORDER_UNKNOWN", "before": "accepted NO_EFFECT"})
        # 90 days of 24 hours after day 0 the wait ends, before the order of the same moment is decided.
        self.order(day=90)
        self.expect({"r": "held ORDER_UNKNOWN", "before": "accepted NO_EFFECT", "o": "accepted"})

    def test_other_limit(self):
        self.receipt("r", "G1", "4", supplier="NEW", day=0)
        self.procurement("s", "status", "X", supplier="NEW", day=30)
        # The order line is unknown too, so the longer limit of 90 days holds; the status event waits for the supplier alone.
        self.procurement("t", "status", "Y", supplier="NEW", day=61)
        self.expect({"r": "parked ORDER_UNKNOWN SUPPLIER_UNKNOWN", "s": "held NO_EFFECT SUPPLIER_UNKNOWN",
                     "t": "parked NO_EFFECT SUPPLIER_UNKNOWN"})

    def test_zero_value(self):
        self.order(net="0.00")
        self.receipt("r", "G1", "4")
        self.procurement("c", "goods_receipt_cancelled", "G2", reverses="G1")
        self.expect({"o": "accepted", "r": "accepted ZERO_VALUE", "c": "accepted ZERO_VALUE"})
        self.expect_journals({})


class Invoice(Scenario):
    def test_matched(self):
        self.order()
        self.receipt("r", "G1", "4")
        # 40.00 × 21 % = 8.40; gross 48.40.
        self.invoice("i", "I1", "4", "40.00", tax="8.40", tax_code="V21")
        self.said("p", "cleared", "I1")
        self.said("p2", "cleared", "I1")
        self.expect({"o": "accepted", "r": "accepted", "i": "accepted", "p": "accepted", "p2": "rejected ALREADY_CLEARED"})
        self.expect_journals({"E1/G1/goods_receipt/1": ["debit 4000 40.00", "credit 1900 40.00"],
                              "E1/I1/invoice_with_order/1": ["debit 1900 40.00", "debit 1540 8.40", "credit 1600 48.40"],
                              "E1/I1/clearing/1": ["debit 1600 48.40", "credit 1700 48.40"]})

    def test_early_invoice_heals(self):
        self.order()
        self.invoice("i", "I1", "4", "40.00")
        self.said("behind", "cleared", "I1")
        self.receipt("r", "G1", "3")
        self.expect({"o": "accepted", "i": "parked GOODS_RECEIPT_MISSING", "behind": "parked OUT_OF_ORDER", "r": "accepted"})
        self.receipt("r2", "G2", "1")
        self.expect({"o": "accepted", "i": "accepted", "behind": "accepted", "r": "accepted", "r2": "accepted"})
        self.assertEqual(self.line().covered, [(0, 4_000_000)])

    def test_early_invoice_held_by_policy(self):
        self.master = master(early_invoice="hold")
        self.order()
        self.invoice("i", "I1", "4", "40.00")
        self.receipt("r", "G1", "4")
        self.expect({"o": "accepted", "i": "held GOODS_RECEIPT_MISSING", "r": "accepted"})

    def test_over_invoiced(self):
        self.order()
        self.receipt("r", "G1", "10")
        self.invoice("i", "I1", "6", "60.00")
        self.invoice("j", "I2", "5", "50.00")       # 6 + 5 > 10, and 5 > 10 - 6
        self.expect({"o": "accepted", "r": "accepted", "i": "accepted", "j": "held GOODS_RECEIPT_MISSING OVER_INVOICED"})

    def test_price_variance(self):
        self.order(quantity="100", net="1000.00")
        self.receipt("r", "G1", "100")
        # 2 % of 500.00 is 10.00, more than 5.00: 510.00 passes, 510.01 does not; 2 % of 100.00 is less than 5.00: 105.00 passes.
        self.invoice("above", "I1", "50", "510.01")
        self.invoice("limit", "I2", "50", "510.00")
        self.invoice("amount", "I3", "10", "105.00")
        self.invoice("below", "I4", "10", "80.00")
        self.expect({"o": "accepted", "r": "accepted", "above": "held PRICE_TOLERANCE", "limit": "accepted", "amount": "accepted",
                     "below": "accepted"})
        self.expect_journals({"E1/G1/goods_receipt/1": ["debit 4000 1000.00", "credit 1900 1000.00"],
                              "E1/I2/invoice_with_order/1": ["debit 1900 500.00", "debit 4900 10.00", "credit 1600 510.00"],
                              "E1/I3/invoice_with_order/1": ["debit 1900 100.00", "debit 4900 5.00", "credit 1600 105.00"],
                              "E1/I4/invoice_with_order/1": ["debit 1900 100.00", "credit 4900 20.00", "credit 1600 80.00"]})

    def test_units_given_back_are_covered_first(self):
        self.order(quantity="3", net="100.00")
        self.receipt("r", "G1", "3")
        self.invoice("i", "I1", "1", "33.33")
        self.invoice("j", "I2", "1", "33.33")
        self.said("x", "cancelled", "I1")
        self.invoice("k", "I3", "2", "66.67")
        self.expect({"o": "accepted", "r": "accepted", "i": "accepted", "j": "accepted", "x": "accepted", "k": "accepted"})
        # I1 covered [0,1) for 33.33, I2 [1,2) for 33.33; I3 covers [0,1) and [2,3), all that is left: 100.00 - 33.33 = 66.67.
        self.assertEqual((self.line().covered, self.line().covered_value), ([(0, 3_000_000)], 1_000_000))

    def test_cancelled_and_number_free(self):
        self.order()
        self.receipt("r", "G1", "10")
        self.invoice("i", "I1", "4", "40.00", number="A-1")
        self.invoice("twin", "I2", "4", "40.00", number="a1")
        self.invoice("other", "I3", "2", "20.00", number="a 001")
        self.invoice("like", "I4", "4", "41.00", number="A1")
        self.said("x", "cancelled", "I1")
        self.said("x2", "cancelled", "I1")
        self.invoice("new", "I5", "8", "80.00", number="A1")
        # `a 001` is A001, not A1: only zeros in front of the whole number go. After the cancellation 8 of 10 units are open again,
        # so I5 fits: [0,4) and [6,10) of 10.00 each.
        self.expect({"o": "accepted", "r": "accepted", "i": "accepted", "twin": "rejected DUPLICATE_DOCUMENT", "other": "accepted",
                     "like": "held POSSIBLE_DUPLICATE", "x": "accepted", "x2": "rejected ALREADY_REVERSED", "new": "accepted"})
        self.assertEqual(self.line().covered, [(0, 10_000_000)])

    def test_posted_again(self):
        self.coded("i", "I1", "10.00", number="1")
        self.said("x", "cancelled", "I1")
        self.coded("again", "I1", "12.00", number="1")
        self.said("x2", "cancelled", "I1")
        self.expect({"i": "accepted", "x": "accepted", "again": "accepted", "x2": "accepted"})
        self.expect_journals({"E1/I1/invoice_without_order/1": ["debit 4000 10.00", "credit 1600 10.00"],
                              "E1/I1/invoice_without_order_reversal/1": ["credit 4000 10.00", "debit 1600 10.00"],
                              "E1/I1/invoice_without_order/2": ["debit 4000 12.00", "credit 1600 12.00"],
                              "E1/I1/invoice_without_order_reversal/2": ["credit 4000 12.00", "debit 1600 12.00"]})

    def test_duplicate_by_other_format(self):
        self.coded("i", "I1", "10.00", number="INV/2018-007")
        self.coded("same", "I2", "10.00", number="00inv 2018.007")
        self.coded("other_total", "I3", "11.00", number="INV2018007")
        self.coded("other_date", "I4", "10.00", number="INV2018007", document_date="2018-01-02")
        self.expect({"i": "accepted", "same": "rejected DUPLICATE_DOCUMENT", "other_total": "held POSSIBLE_DUPLICATE",
                     "other_date": "held POSSIBLE_DUPLICATE"})

    def test_announced_then_approved(self):
        self.master = master(invoice_posts_on="approved")
        self.order()
        self.receipt("r", "G1", "4")
        self.invoice("a", "I1", "4", "40.00", kind="received", number="7")
        self.invoice("a2", "I1", "4", "40.00", kind="received", number="7")
        self.said("early", "cleared", "I9")
        self.invoice("twin", "I2", "4", "40.00", kind="received", number="07")
        self.invoice("i", "I1", "4", "40.00", number="7")
        self.invoice("i2", "I1", "4", "40.00", number="7")
        self.expect({"o": "accepted", "r": "accepted", "a": "accepted", "a2": "accepted NO_EFFECT", "early": "held ORIGINAL_UNKNOWN",
                     "twin": "rejected DUPLICATE_DOCUMENT", "i": "accepted", "i2": "accepted NO_EFFECT"})

    def test_order_cancelled(self):
        self.order()
        self.receipt("r", "G1", "4")
        self.procurement("x", "order_cancelled", "O1")
        self.invoice("i", "I1", "4", "40.00")
        self.expect({"o": "accepted", "r": "accepted", "x": "accepted", "i": "held ORDER_DELETED"})

    def test_blocked(self):
        self.coded("i", "I1", "10.00")
        self.said("b0", "blocked", "I2")
        self.said("u0", "unblocked", "I1")
        self.said("b", "blocked", "I1")
        self.said("p", "cleared", "I1")
        self.said("u", "unblocked", "I1")
        # The held payment waits for a decision, and what comes after it waits behind.
        self.expect({"i": "accepted", "b0": "held ORIGINAL_UNKNOWN", "u0": "accepted NO_EFFECT", "b": "accepted",
                     "p": "held PAYMENT_BLOCKED", "u": "parked OUT_OF_ORDER"})

    def test_cancellation_behind_held_payment(self):
        self.coded("i", "I1", "10.00")
        self.said("b", "blocked", "I1")
        self.said("p", "cleared", "I1")
        self.said("u", "unblocked", "I1")
        self.said("x", "cancelled", "I1")
        # Nothing waits to establish I1, so it is reversed at once; the payment is decided anew, and is blocked still.
        self.expect({"i": "accepted", "b": "accepted", "p": "held NO_EFFECT PAYMENT_BLOCKED", "u": "parked OUT_OF_ORDER", "x": "accepted"})
        self.expect_journals({"E1/I1/invoice_without_order/1": ["debit 4000 10.00", "credit 1600 10.00"],
                              "E1/I1/invoice_without_order_reversal/1": ["credit 4000 10.00", "debit 1600 10.00"]})

    def test_cancellation_voids_all_that_would_establish(self):
        self.master = master(invoice_posts_on="approved")
        self.invoice("a", "I1", "4", "40.00", kind="received", number="7")
        self.invoice("i", "I1", "4", "40.00", number="7")
        self.said("p", "cleared", "I1")
        self.said("x", "cancelled", "I1")
        self.order()
        self.receipt("r", "G1", "4")
        self.invoice("j", "I2", "4", "40.00", number="7")
        # The announcement waits for the order, approval and payment behind it. The payment meets a cancelled invoice; 7 is free.
        self.expect({"a": "rejected ALREADY_REVERSED", "i": "rejected ALREADY_REVERSED", "p": "accepted NO_EFFECT",
                     "x": "accepted NO_EFFECT", "o": "accepted", "r": "accepted", "j": "accepted"})

    def test_cleared_after_cancellation(self):
        self.coded("i", "I1", "10.00")
        self.said("x", "cancelled", "I1")
        self.said("p", "cleared", "I1")
        self.expect({"i": "accepted", "x": "accepted", "p": "accepted NO_EFFECT"})

    def test_receipt_cancelled_after_invoice(self):
        self.order()
        self.receipt("r", "G1", "4")
        self.invoice("i", "I1", "4", "40.00")
        self.procurement("c", "goods_receipt_cancelled", "G2", reverses="G1")
        self.invoice("j", "I2", "1", "10.00")
        self.receipt("r2", "G3", "5")
        # 0 received, 4 covered: I2 waits. With 5 received, the fifth unit is open: 50.00 - 40.00.
        self.expect({"o": "accepted", "r": "accepted", "i": "accepted", "c": "accepted", "j": "accepted", "r2": "accepted"})
        self.assertEqual((self.line().covered, self.line().covered_value), ([(0, 5_000_000)], 500_000))

    def test_waiting_invoice_cancelled(self):
        self.order()
        self.invoice("i", "I1", "4", "40.00", number="1")
        self.said("b", "blocked", "I1")
        self.said("x", "cancelled", "I1")
        self.receipt("r", "G1", "4")
        self.invoice("j", "I2", "4", "40.00", number="1")
        self.expect({"o": "accepted", "i": "rejected ALREADY_REVERSED", "b": "accepted", "x": "accepted NO_EFFECT", "r": "accepted",
                     "j": "accepted"})

    def test_wait_limit(self):
        self.order(day=0)
        self.invoice("i", "I1", "4", "40.00", day=1)
        self.said("behind", "cleared", "I1", day=1)
        self.receipt("r", "G1", "4", day=91)
        self.expect({"o": "accepted", "i": "held GOODS_RECEIPT_MISSING", "behind": "parked OUT_OF_ORDER", "r": "accepted"})

    def test_totals_and_tax(self):
        # 10.07 × 21 % = 2.1147, so 2.11; 2.12 is one cent off and passes, 2.13 is not.
        self.coded("cent", "I1", "10.07", tax="2.12", tax_code="V21", total="12.19")
        self.coded("wrong", "I2", "10.07", tax="2.13", tax_code="V21", total="12.20")
        self.coded("total", "I3", "10.07", tax_code="V21", total="12.19")
        self.coded("code", "I4", "10.07", tax_code="V99", total="12.18")
        # 10.10 × 21 % = 2.121 → 2.12, half of it 1.06; the rest 1.06 is cost.
        self.coded("half", "I5", "10.10", tax_code="HALF", total="12.22")
        # Reverse charge: nothing charged; 2.1147 → 2.11 due, deductible 1.055 → 1.06, the rest 1.05 is cost.
        self.coded("reverse", "I6", "10.07", tax_code="RC", total="10.07")
        self.coded("energy", "I7", "5.00", category="energy")
        self.coded("minus", "I8", "-5.00")
        self.expect({"cent": "accepted", "wrong": "rejected TAX_AMOUNT_WRONG", "total": "rejected TOTAL_MISMATCH",
                     "code": "parked TAX_CODE_UNKNOWN", "half": "accepted", "reverse": "accepted", "energy": "accepted",
                     "minus": "accepted"})
        self.expect_journals({
            "E1/I1/invoice_without_order/1": ["debit 4000 10.07", "debit 1540 2.12", "credit 1600 12.19"],
            "E1/I5/invoice_without_order/1": ["debit 4000 11.16", "debit 1540 1.06", "credit 1600 12.22"],
            "E1/I6/invoice_without_order/1": ["debit 4000 11.12", "debit 1540 1.06", "credit 1550 2.11", "credit 1600 10.07"],
            "E1/I7/invoice_without_order/1": ["debit 4100 5.00", "credit 1600 5.00"],
            "E1/I8/invoice_without_order/1": ["credit 4000 5.00", "debit 1600 5.00"]})

    def test_credit_note_and_subsequent_debit(self):
        self.order()
        self.receipt("r", "G1", "4")
        self.invoice("i", "I1", "4", "40.00")
        self.invoice("s", "D1", "0", "3.00", kind="subsequent_debit")
        self.invoice("c", "C1", "0", "15.00", kind="credit_note", reverses="I1")
        self.invoice("c2", "C2", "0", "40.01", kind="credit_note", reverses="I1")
        self.invoice("c3", "C3", "0", "1.00", kind="credit_note", reverses="I9")
        self.said("p", "cleared", "C1")
        self.said("m", "debit_memo", "M1", reverses="I1")
        self.expect({"o": "accepted", "r": "accepted", "i": "accepted", "s": "accepted", "c": "accepted",
                     "c2": "held CREDIT_EXCEEDS_ORIGINAL", "c3": "held ORIGINAL_UNKNOWN", "p": "accepted", "m": "accepted NO_EFFECT"})
        self.expect_journals({"E1/G1/goods_receipt/1": ["debit 4000 40.00", "credit 1900 40.00"],
                              "E1/I1/invoice_with_order/1": ["debit 1900 40.00", "credit 1600 40.00"],
                              "E1/D1/subsequent_debit/1": ["debit 4900 3.00", "credit 1600 3.00"],
                              "E1/C1/credit_note/1": ["debit 1600 15.00", "credit 4000 15.00"],
                              "E1/C1/clearing/1": ["credit 1600 15.00", "debit 1700 15.00"]})


class Trust(Scenario):
    def test_poison_and_duplicate_events(self):
        self.order()
        self.order()
        self.order("key", key="E1|S2")
        self.order("kind", order="O2")
        self.events[0][-1]["value"]["kind"] = "order_dreamt"
        self.order("digits", net="1.00001", order="O3")
        self.order("source", source="nobody", order="O4")
        self.events[0].append("not JSON\n")
        self.expect({"o": ["accepted", "duplicate DUPLICATE_EVENT"], "key": "poison KEY_MISMATCH", "kind": "poison DECODE_FAILED",
                     "digits": "poison DECODE_FAILED", "source": "poison SOURCE_NOT_AUTHORISED", "": "poison DECODE_FAILED"})

    def test_master_data(self):
        self.coded("supplier", "I1", "1.00", supplier="NEW")
        self.coded("blocked", "I2", "1.00", supplier="BLOCKED")
        self.coded("entity", "I3", "1.00", entity="E2")
        self.coded("closed", "I4", "1.00", posting_date="2017-12-31")
        self.coded("no_period", "I5", "1.00", posting_date="2019-01-01")
        self.coded("old", "I6", "1.00", document_date="1989-12-31")
        self.coded("future", "I7", "1.00", document_date="2020-01-02", posting_date="2018-01-01")     # 731 days
        self.coded("in_time", "I8", "1.00", document_date="2020-01-01", posting_date="2018-01-01")    # 730 days
        self.coded("precision", "I9", "1.001", total="1.001")
        self.tell(1, "currency", "approved", "I10", [{"line": "1", "net": "1"}], total="1")
        self.tell(1, "huge", "approved", "I11", [{"line": "1", "net": "100000000000000"}], total="1", currency="EUR")
        # The tax date is the document date, and the test's tax codes begin in 2000.
        self.expect({"supplier": "parked SUPPLIER_UNKNOWN", "blocked": "held SUPPLIER_BLOCKED_FOR_POSTING",
                     "entity": "parked ENTITY_UNKNOWN TAX_CODE_UNKNOWN", "closed": "parked PERIOD_CLOSED",
                     "no_period": "parked PERIOD_UNKNOWN", "old": "rejected DATE_IMPLAUSIBLE TAX_CODE_UNKNOWN",
                     "future": "rejected DATE_IMPLAUSIBLE",
                     "in_time": "accepted", "precision": "rejected CURRENCY_PRECISION", "currency": "rejected CURRENCY_UNKNOWN",
                     "huge": "rejected AMOUNT_OVERFLOW"})

    def test_accounts(self):
        self.master["accounts"][0]["cost_centre"] = "required"
        self.master["cost-centres"][0]["status"] = "closed"
        self.coded("closed", "I1", "1.00")
        self.tell(1, "none", "approved", "I2", [{"line": "1", "net": "1", "tax_code": "V0"}], total="1", currency="EUR")
        self.master["accounts"][1]["status"] = "ended"
        self.coded("unknown", "I3", "1.00", category="energy")
        self.master["posting-rules"][0]["rules"] = [rule for rule in rules() if rule["step"] != "credit_note"]
        self.coded("rule", "C1", "1.00", kind="credit_note")
        self.expect({"closed": "held COST_CENTRE_CLOSED", "none": "held ACCOUNT_COMBINATION_INVALID",
                     "unknown": "held ACCOUNT_UNKNOWN COST_CENTRE_CLOSED", "rule": "parked RULE_MISSING"})

    def late(self, **entity):
        """2018 in halves, the first closed; 2017 is closed too."""
        self.master["legal-entities"][0].update(entity)
        always = {"entity": "E1", "ledger": "GL", "source": "erp"}
        self.master["periods"] = [{**always, "period": "2017", "valid_from": "2017-01-01", "last_day": "2017-12-31", "status": "closed"},
                                  {**always, "period": "2018-1", "valid_from": "2018-01-01", "last_day": "2018-06-30", "status": "closed"},
                                  {**always, "period": "2018-2", "valid_from": "2018-07-01", "last_day": "2018-12-31"}]

    def test_next_open_period(self):
        self.late(late_documents="next_open")
        self.coded("late", "I1", "1.00", posting_date="2017-12-31")
        self.coded("none", "I2", "1.00", posting_date="2016-12-31")
        self.expect({"late": "accepted PERIOD_MOVED", "none": "parked PERIOD_UNKNOWN"})

    def test_reversal_leaves_a_closed_period(self):
        self.late()
        self.coded("late", "I1", "1.00", posting_date="2018-03-01")
        self.coded("good", "I2", "1.00", posting_date="2018-08-01")
        self.tell(1, "back", "cancelled", "I2", posting_date="2018-03-01")
        self.expect({"late": "parked PERIOD_CLOSED", "good": "accepted", "back": "accepted PERIOD_MOVED"})

    def test_soft_closed_period(self):
        self.late(late_documents="next_open")
        self.master["periods"][1]["status"] = "soft_closed"
        self.coded("late", "I1", "1.00", posting_date="2018-03-01")
        self.expect({"late": "held PERIOD_CLOSED"})

    def test_soft_closed_period_with_permission(self):
        self.late()
        self.master["periods"][1]["status"] = "soft_closed"
        for permission in self.master["source-permissions"]:
            permission["soft_closed"] = True
        self.coded("late", "I1", "1.00", posting_date="2018-03-01")
        self.expect({"late": "accepted"})

    def test_local_date(self):
        # 2018-12-31T23:30Z is 00:30 of the next day in Amsterdam, where no period is.
        self.coded("next_day", "I1", "1.00", day=(364 * 24 + 12.5) / 24)
        self.expect({"next_day": "parked PERIOD_UNKNOWN"})

    def test_foreign_currency(self):
        self.tell(1, "i", "approved", "I1", [{"line": "1", "net": "10.01", "tax_code": "V21", "cost_centre": "K1"}], total="12.11",
                  currency="USD")
        self.tell(1, "late", "approved", "I2", [{"line": "1", "net": "10.01", "tax_code": "V0", "cost_centre": "K1"}], total="10.01",
                  currency="USD", day=20)
        self.expect({"i": "accepted", "late": "parked FX_RATE_MISSING"})
        # Tax 10.01 × 21 % = 2.1021 → 2.10. In EUR, times 0.8333: 10.01 is 8.341333 → 8.34, 2.10 is 1.74993 → 1.75,
        # 12.11 is 10.091263 → 10.09.
        # 8.34 + 1.75 = 10.09: nothing is left over.
        functional = sorted((line[0], line[3]) for task in self.tasks for journal in task.journals for line in journal.lines)
        self.assertEqual(functional, [("1540", 17_500), ("1600", 100_900), ("4000", 83_400)])


class Summary(Scenario):
    def test_summary(self):
        self.order()
        self.order()
        self.receipt("r", "G1", "4")
        self.invoice("i", "I1", "3", "30.30")
        self.invoice("early", "I2", "4", "40.00")
        self.events[1].append("{}\n")
        found = report.summary(self.run_oracle(), self.tasks)
        self.assertEqual([found[name] for name in ("events_in", *report.OUTCOMES)], [6, 3, 1, 0, 0, 1, 1])
        self.assertEqual(found["reasons"], {"DECODE_FAILED": 1, "DUPLICATE_EVENT": 1, "GOODS_RECEIPT_MISSING": 1})
        # Receipt 40.00; invoice: 30.00 of GRNI and 0.30 of variance (within 5.00) to payable 30.30. 2 + 3 lines, 40.00 + 30.30.
        self.assertEqual((found["journals"], found["journal_lines"]), (2, 5))
        self.assertEqual(found["currencies"], {"EUR": {"debit": "70.30", "credit": "70.30"}})
        self.assertEqual(found["accounts"]["EUR"], {EXPENSE: {"debit": "40.00", "credit": "0.00"},
                                                    GRNI: {"debit": "30.00", "credit": "40.00"},
                                                    VARIANCE: {"debit": "0.30", "credit": "0.00"},
                                                    PAYABLE: {"debit": "0.00", "credit": "30.30"}})
        self.assertEqual((found["committed"], found["received_not_invoiced"]), ({"EUR": "60.00"}, {"order_lines": 1, "EUR": "10.00"}))


class Parts(unittest.TestCase):
    def test_murmur2(self):
        # Expected values from Apache Kafka's UtilsTest.testMurmur2.
        for text, value in (("21", -973932308), ("foobar", -790332482), ("a-little-bit-long-string", -985981536),
                            ("a-little-bit-longer-string", -1486304829),
                            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971), ("abc", 479470107)):
            self.assertEqual(murmur2(text.encode()), value & 0xFFFFFFFF)

    def test_ranges(self):
        self.assertEqual(lowest_uncovered([(2, 4)], 10, 5), [(0, 2), (4, 7)])
        self.assertEqual(lowest_uncovered([(0, 4), (8, 12)], 10, 4), [(4, 8)])
        self.assertEqual(united([(0, 2), (4, 6)], [(2, 4), (9, 10)]), [(0, 6), (9, 10)])
        self.assertEqual(without([(0, 6), (9, 10)], [(1, 2), (4, 6)]), [(0, 1), (2, 4), (9, 10)])

    def test_amounts(self):
        self.assertEqual(parse_decimal("-0.5", 4), -5000)
        self.assertEqual(parse_decimal("12.340000", 4), 123_400)
        for wrong in ("1.23456", "1e3", "", ".", "1,5", 1.5, None):
            self.assertRaises(ValueError, parse_decimal, wrong, 4)
        self.assertEqual((round_half_up(50, 1, 100), round_half_up(-50, 1, 100), round_half_up(49, 1, 100)), (100, -100, 0))
        self.assertEqual((floor_to_unit(199, 1, 100), floor_to_unit(-1, 1, 100)), (100, -100))

    def test_numbers_and_keys(self):
        self.assertEqual(normalised(" 00-inv/07 "), "INV07")
        self.assertEqual(key_of("E|1", "100%"), "E%7C1|100%25")


if __name__ == "__main__":
    unittest.main()

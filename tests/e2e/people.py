"""Master data of tests in which people decide: rules without orders too, flows, permissions."""

from small import FROM, RULE_LINES

FLOWS = ("procurement", "invoice", "payment", "expense", "journal", "settlement", "budget", "review")


def record(**fields):
    return {"valid_from": FROM, "status": "active", "source": "MDM", **fields}


def permission(source, topic):
    return record(source_system=source, topic=topic, entities=["*"])


def rules():
    lines = {**RULE_LINES, "invoice_without_order": [("debit", "line", "net"), ("debit", "154000", "tax_deductible"), ("debit", "line", "tax_not_deductible"), ("credit", "160000", "gross")]}
    return [{"rule": step, "step": step, "lines": [{"side": side, "account": account, "amount": amount} for side, account, amount in of_step]} for step, of_step in lines.items()]

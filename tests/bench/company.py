"""A company with orders that are received and wait for their invoices: each invoice is matched against order and receipt, posted and acknowledged."""

from small import invoice, line, master, order, receipt, write_master

SUPPLIERS = 200


def company(folder, **changes):
    return write_master(folder, master(suppliers=[{"supplier": f"S{number}", "valid_from": "1990-01-01", "status": "active", "source": "MDM"} for number in range(SUPPLIERS)], **changes))


def write_orders(path, count):
    """An order and its receipt for each invoice."""
    with open(path, "w") as out:
        for number in range(count):
            supplier = f"S{number % SUPPLIERS}"
            out.write(line(order(f"PO{number}", supplier=supplier), 0))
            out.write(line(receipt(f"GR{number}", f"PO{number}", supplier=supplier), 1))


def write_invoices(path, count):
    with open(path, "w") as out:
        for number in range(count):
            out.write(line({**invoice(f"I{number}", f"PO{number}", supplier=f"S{number % SUPPLIERS}"), "event_id": f"L{number}"}, 2))

"""Master data: DIR/master/<table>.jsonl, looked up as of a date.

A record holds from `valid_from` until the next one of its key; one with status `ended` ends the key from that day on.
"""
import bisect
import datetime
import json
import os
import zoneinfo

from amounts import AMOUNT_DIGITS, DAY_MS, RATE_DIGITS, parse_date, parse_decimal

# table -> fields of its key, without valid_from
KEYS = {
    "legal-entities": ("entity",),
    "suppliers": ("supplier",),
    "accounts": ("chart", "account"),
    "cost-centres": ("entity", "cost_centre"),
    "projects": ("entity", "project"),
    "tax-codes": ("entity", "tax_code"),
    "periods": ("entity", "ledger"),
    "fx-rates": ("rate_type", "from_currency", "to_currency"),
    "tolerances": ("entity",),
    "posting-rules": ("rule_set",),
    "code-mappings": ("mapping_set", "code"),
    "source-permissions": ("source_system", "topic"),
    "bank-accounts": ("entity", "bank_account"),
    "supplier-accounts": ("supplier", "supplier_account"),
}
DEFAULTS = {
    "legal-entities": {"ledger": "GL", "late_documents": "park"},
    "source-permissions": {"soft_closed": False},
    "suppliers": {"group": "trade", "account": ""},
    "accounts": {"cost_centre": "optional"},
    "tax-codes": {"deductible": "100", "reverse_charge": False, "account": ""},
    "fx-rates": {"rate_type": "M", "max_age_days": 7},
    "tolerances": {"quantity_percent": "0", "over_receipt": "hold", "early_invoice": "park", "receipt_wait_days": 90,
                   "wait_days": 30, "invoice_posts_on": "received", "bank_details_days": 0, "payment_approval": None},
    "supplier-accounts": {"currency": ""},
}
DECIMALS = {
    "tax-codes": {"rate": AMOUNT_DIGITS, "deductible": AMOUNT_DIGITS},
    "fx-rates": {"rate": RATE_DIGITS},
    "tolerances": {"price_percent": AMOUNT_DIGITS, "price_amount": AMOUNT_DIGITS, "quantity_percent": AMOUNT_DIGITS,
                   "payment_approval": AMOUNT_DIGITS},
}
# The policy of an entity without a record in master.tolerances: no tolerance, the schema's defaults.
NO_TOLERANCE = {"price_percent": 0, "price_amount": 0, **DEFAULTS["tolerances"], "quantity_percent": 0}


class Table:
    """One master table: key -> records by valid_from."""

    def __init__(self, name, records):
        self.versions = {}
        for record in records:
            record = {"status": "active", **DEFAULTS.get(name, {}), **record}
            record["valid_from"] = parse_date(record["valid_from"])
            for field, digits in DECIMALS.get(name, {}).items():
                if record[field] is not None:
                    record[field] = parse_decimal(record[field], digits)
            if name == "periods":
                record["last_day"] = parse_date(record["last_day"])
            key = tuple(record[field] for field in KEYS[name])
            self.versions.setdefault(key, {})[record["valid_from"]] = record
        self.days = {key: sorted(versions) for key, versions in self.versions.items()}

    def find(self, key, date):
        """The record that holds on `date`, or None."""
        days = self.days.get(key)
        if days is None:
            return None
        position = bisect.bisect_right(days, date)
        if position == 0:
            return None
        record = self.versions[key][days[position - 1]]
        return None if record["status"] == "ended" else record


class Masters:
    """All tables of a folder; a table without a file is empty."""

    def __init__(self, folder):
        for name in KEYS:
            path = os.path.join(folder, name + ".jsonl")
            records = []
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    records = [_value(json.loads(line, parse_float=str)) for line in file if line.strip()]
            setattr(self, name.replace("-", "_"), Table(name, records))
        self.zones = {}

    def entity_at(self, entity, time_ms, posting_date):
        """(entity's record, posting date) of an event: the given date, else the local one of its time; (None, UTC date) if unknown."""
        utc_date = time_ms // DAY_MS
        record = self.legal_entities.find((entity,), utc_date if posting_date is None else posting_date)
        if posting_date is not None or record is None:
            return record, utc_date if posting_date is None else posting_date
        local_date = self.local_date(record["time_zone"], time_ms)
        return self.legal_entities.find((entity,), local_date), local_date

    def local_date(self, time_zone, time_ms):
        # Clocks change on quarters of an hour, so one look at the zone's rules serves a quarter.
        quarter = time_ms // 900_000
        offset_ms = self.zones.get((time_zone, quarter))
        if offset_ms is None:
            moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(seconds=quarter * 900)
            offset = moment.astimezone(zoneinfo.ZoneInfo(time_zone)).utcoffset()
            offset_ms = (offset.days * 86_400 + offset.seconds) * 1000
            self.zones[(time_zone, quarter)] = offset_ms
        return (time_ms + offset_ms) // DAY_MS

    def period(self, entity, ledger, date):
        record = self.periods.find((entity, ledger), date)
        return record if record is not None and date <= record["last_day"] else None

    def booked(self, entity, date, may_soft_closed, moves_always):
        """(day, None or the reason against it, whether that holds): where a document of the entity is booked that is asked for on `date`."""
        closed = {"closed"} if may_soft_closed else {"closed", "soft_closed"}
        period = self.period(entity["entity"], entity["ledger"], date)
        if period is None:
            return date, "PERIOD_UNKNOWN", False
        if period["status"] not in closed:
            return date, None, False
        if not moves_always and (period["status"] == "soft_closed" or entity["late_documents"] != "next_open"):
            return date, "PERIOD_CLOSED", period["status"] == "soft_closed"
        for _ in range(24):
            day = period["last_day"] + 1
            period = self.period(entity["entity"], entity["ledger"], day)
            if period is None:
                break
            if period["status"] not in closed:
                return day, "PERIOD_MOVED", False
        return date, "PERIOD_UNKNOWN", False

    def tolerance(self, entity, date):
        return self.tolerances.find((entity,), date) or NO_TOLERANCE

    def mapping(self, mapping_set, code, date):
        """The target of a code, else of the longest prefix of it that the set has (`AB*`, in the end `*`), or None."""
        for wanted in (code, *(code[:length] + "*" for length in range(len(code), -1, -1))):
            record = self.code_mappings.find((mapping_set, wanted), date)
            if record:
                return record["target"]
        return None

    def rate(self, currency, functional, date):
        """Functional units per unit of `currency` in 10**-10, or None."""
        if currency == functional:
            return 10 ** RATE_DIGITS
        record = self.fx_rates.find(("M", currency, functional), date)
        return record["rate"] if record and date - record["valid_from"] <= record["max_age_days"] else None

    def may_soft_closed(self, source, topic, date):
        record = self.source_permissions.find((source, topic), date)
        return record is not None and record["soft_closed"]

    def may_say(self, source, topic, entity, date):
        record = self.source_permissions.find((source, topic), date)
        return record is not None and (entity in record["entities"] or "*" in record["entities"])


def _value(record):
    """A record alone, or in the envelope {"key":..., "value":{...}} that events have."""
    return record["value"] if isinstance(record.get("value"), dict) else record

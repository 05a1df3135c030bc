"""Exchange rates from the central bank's list: units per euro of a day become master.fx-rates (README.md, Exchange rates). Whole numbers, no floating point."""

import csv
import datetime

from .source import InputError

DIGITS = 10                 # behind the point, as master.fx-rates has them
ONE = 10 ** DIGITS
PIVOT = "EUR"
MAX_AGE_DAYS = 7            # the longest time without rates, from Maundy Thursday to the Tuesday after Easter, is 5 days


def read_rate(text, where):
    """Units per euro as a whole number of 10^-10; None for N/A."""
    if text == "N/A":
        return None
    whole, _, part = text.partition(".")
    if not (whole + part).isascii() or not (whole + part).isdigit() or len(part) > DIGITS or int(whole + part) == 0:
        raise InputError(f"{where}: expected a rate above 0 of at most {DIGITS} digits behind the point, or N/A, found {text[:60]!r}")
    return int(whole or "0") * ONE + int(part.ljust(DIGITS, "0"))


def read_days(path):
    """[(ISO date, {currency: rate or None})] of the list, the earliest day first; the euro's own is 1."""
    days = []
    try:
        with open(path, newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.reader(file), 1):
                if number == 1:
                    header = row
                    if header[0] != "date" or not all(len(code) == 3 and code.isalpha() for code in header[1:]):
                        raise InputError(f"{path}: line 1: expected date and currencies, found {','.join(header)[:60]}")
                    continue
                where = f"{path}: line {number}"
                if len(row) != len(header):
                    raise InputError(f"{where}: {len(row)} fields, {len(header)} expected")
                try:
                    day = datetime.date.fromisoformat(row[0]).isoformat()
                except ValueError as error:
                    raise InputError(f"{where}: expected a date like 2018-01-31, found {row[0][:60]!r}") from error
                found = {code: read_rate(text, f"{where}: {code}") for code, text in zip(header[1:], row[1:])}
                days.append((day, {PIVOT: ONE, **found}))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    days.sort(key=lambda entry: entry[0])
    return days


def cross(from_per_euro, to_per_euro):
    """Units of `to` per unit of `from`, half up to ten digits; by one division, so that no rounded rate goes into another."""
    return (2 * to_per_euro * ONE + from_per_euro) // (2 * from_per_euro)


def text(rate):
    return f"{rate // ONE}.{rate % ONE:0{DIGITS}d}"


def records(days, first, last, into, currencies, source):
    """master.fx-rates from each of `currencies` into each of `into`, of the list's days from the one that holds on `first` until `last`."""
    before = [day for day, _ in days if day <= first]
    start = before[-1] if before else first
    for day, rates in days:
        if not start <= day <= last:
            continue
        for other in into:
            for one in currencies:
                if one != other and rates[one] and rates[other]:
                    yield {"rate_type": "M", "from_currency": one, "to_currency": other, "rate": text(cross(rates[one], rates[other])), "max_age_days": MAX_AGE_DAYS,
                           "valid_from": day, "status": "active", "source": source}

"""Exact numbers and dates: amounts are integers of 1/10,000, quantities of 1/1,000,000, dates are days since 1970-01-01.

Nothing here is a float. Rounding happens in `round_half_up` and `floor_to_unit`, and nowhere else.
"""
import datetime

AMOUNT_DIGITS = 4
QUANTITY_DIGITS = 6
RATE_DIGITS = 10
AMOUNT_LIMIT = 10 ** 18      # decimal(18, 4) in 1/10,000; a value at or beyond it cannot be booked
QUANTITY_LIMIT = 10 ** 18    # decimal(18, 6) in 1/1,000,000
DAY_MS = 86_400_000

# ISO 4217, current codes by digits of the minor unit. Metals, units of account and test codes have none: nothing is booked in them.
_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
    2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU "
       "CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES "
       "KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR "
       "NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP "
       "TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG",
}
# currency -> its minor unit in 1/10,000: EUR 100, JPY 10,000
MINOR_UNIT = {code: 10 ** (AMOUNT_DIGITS - digits) for digits, codes in _DIGITS.items() for code in codes.split()}


def parse_decimal(text, digits):
    """The decimal `text` as an integer of 10**-digits; ValueError when it is none or has more digits than fit."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text * 10 ** digits
    if not isinstance(text, str):
        raise ValueError(f"not a decimal: {text!r}")
    body = text[1:] if text[:1] in ("-", "+") else text
    whole, point, fraction = body.partition(".")
    if not (whole or fraction) or not (whole + fraction).isdecimal() or not (whole + fraction).isascii():
        raise ValueError(f"not a decimal: {text!r}")
    if len(fraction) > digits:
        if fraction[digits:].strip("0"):
            raise ValueError(f"more than {digits} decimal digits: {text!r}")
        fraction = fraction[:digits]
    value = int(whole or "0") * 10 ** digits + int((fraction or "0").ljust(digits, "0"))
    return -value if text[0] == "-" else value


def parse_date(value):
    """Days since 1970-01-01 of `YYYY-MM-DD` or of such a number; ValueError otherwise."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        return datetime.date.fromisoformat(value).toordinal() - 719_163
    raise ValueError(f"not a date: {value!r}")


def date_text(days):
    return datetime.date.fromordinal(days + 719_163).isoformat()


def amount_text(amount):
    """12.3400 as `12.34`: at least two decimal digits, more only where they are not 0."""
    sign = "-" if amount < 0 else ""
    whole, fraction = divmod(abs(amount), 10 ** AMOUNT_DIGITS)
    digits = f"{fraction:04d}"
    while len(digits) > 2 and digits[-1] == "0":
        digits = digits[:-1]
    return f"{sign}{whole}.{digits}"


def round_half_up(numerator, denominator, unit=1):
    """numerator / denominator to the nearest multiple of `unit`, a half away from zero."""
    quotient = (2 * abs(numerator) + denominator * unit) // (2 * denominator * unit) * unit
    return -quotient if numerator < 0 else quotient


def floor_to_unit(numerator, denominator, unit):
    """The largest multiple of `unit` that is not above numerator / denominator."""
    return numerator // (denominator * unit) * unit

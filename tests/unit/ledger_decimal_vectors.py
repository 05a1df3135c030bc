"""Writes ledger_decimal_vectors.tsv: products, quotients, shares and rescalings with what Python's fractions and decimal say of them.

    python3 tests/unit/ledger_decimal_vectors.py > tests/unit/ledger_decimal_vectors.tsv

Columns: operation, a, scale of a, b, scale of b, third operand, target scale, rounding, result (an integer at the target scale, or fails).
"""
import random
from decimal import Context, Decimal, ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP
from fractions import Fraction

MAXIMUM = 10**18 - 1
WIDE = Context(prec=400, Emax=999999, Emin=-999999)
MODES = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "down": ROUND_DOWN}


def rounded(value: Fraction, scale: int, rounding: str) -> str:
    shifted = value * 10**scale
    if rounding == "exact":
        if shifted.denominator != 1:
            return "fails"
        result = shifted.numerator
    else:
        # 300 digits decide every tie here: a quotient of 63-bit numbers that is no tie differs from one much earlier.
        quotient = WIDE.divide(Decimal(shifted.numerator), Decimal(shifted.denominator))
        result = int(quotient.to_integral_value(rounding=MODES[rounding], context=WIDE))
    return str(result) if -MAXIMUM <= result <= MAXIMUM else "fails"


def number(r: random.Random) -> int:
    kind = r.randrange(10)
    if kind == 0:
        return r.choice([0, 1, -1, 5, -5, 10**17, -(10**17), MAXIMUM, -MAXIMUM])
    magnitude = r.getrandbits(r.randrange(1, 64))
    return min(magnitude, MAXIMUM) * r.choice([1, -1])


def main() -> None:
    r = random.Random(20180101)
    print("# written by ledger_decimal_vectors.py")
    for _ in range(1200):
        operation = r.choice(["multiply", "divide", "share", "rescale"])
        a, b, c = number(r), number(r), number(r)
        a_scale, b_scale, scale = r.randrange(19), r.randrange(19), r.randrange(19)
        rounding = r.choice(["half_up", "half_even", "down", "exact"])
        if r.randrange(4) == 0:  # ties are rare by chance
            b, b_scale = 5, 1
        x, y = Fraction(a, 10**a_scale), Fraction(b, 10**b_scale)
        if operation == "multiply":
            exact = x * y
        elif operation == "divide":
            exact = x / y if b else None
        elif operation == "share":
            exact = x * Fraction(b, c) if c else None
        else:
            exact = x
        result = "fails" if exact is None else rounded(exact, scale, rounding)
        print(operation, a, a_scale, b, b_scale, c, scale, rounding, result, sep="\t")


main()

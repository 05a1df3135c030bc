"""Journals: posting rules picked by specificity, accounts through mappings, lines merged; reversals swap the sides of what was stored."""
from amounts import MINOR_UNIT, RATE_DIGITS, round_half_up

AMOUNTS = frozenset("net receipt_value variance_above variance_below tax_deductible tax_not_deductible tax_reverse "
                    "tax_reverse_deductible tax_reverse_not_deductible gross fx_loss fx_gain "
                    "paid discount_net discount_tax withheld settled charges bank".split())
OTHER_SIDE = {"debit": "credit", "credit": "debit"}


class Coding:
    """What a document line brings to its rule: dimensions to pick it by and to carry into the journal."""
    __slots__ = ("category", "tax_code", "account", "cost_centre", "project")

    def __init__(self, category="", tax_code="", account="", cost_centre="", project=""):
        self.category, self.tax_code, self.account = category, tax_code, account
        self.cost_centre, self.project = cost_centre, project


class Journal:
    """A journal as posted. A line is (account, side, amount, functional amount, cost centre, project, tax code, partner)."""
    __slots__ = ("entity", "document", "step", "version", "posting_date", "currency", "lines")

    def __init__(self, entity, document, step, posting_date, currency, lines):
        self.entity, self.document, self.step, self.posting_date = entity, document, step, posting_date
        self.currency, self.lines, self.version = currency, lines, 0

    def key(self):
        return f"{self.entity}/{self.document}/{self.step}/{self.version}"

    def reversed_on(self, posting_date):
        """The linked journal with the sides swapped; both stay."""
        lines = [(line[0], OTHER_SIDE[line[1]], *line[2:]) for line in self.lines]
        return Journal(self.entity, self.document, self.step + "_reversal", posting_date, self.currency, lines)


def pick_rule(rule_set, step, category, group, tax_code):
    """The rule of the step that fits with the most dimensions set; None when none fits or two fit equally well."""
    best, best_set, tie = None, -1, False
    for rule in rule_set["rules"]:
        if rule["step"] != step:
            continue
        wanted = (rule.get("category", "*"), rule.get("supplier_group", "*"), rule.get("tax_code", "*"), rule.get("method", "*"))
        if any(want not in ("*", has) for want, has in zip(wanted, (category, group, tax_code, ""))):
            continue
        dimensions = sum(want != "*" for want in wanted)
        if dimensions > best_set:
            best, best_set, tie = rule, dimensions, False
        elif dimensions == best_set:
            tie = True
    return None if tie else best


# The amounts that are sums, by what they are sums of: a rule posts a part with any amount that contains it.
NET = frozenset(("receipt_value", "variance_above", "variance_below"))
GROSS = NET | {"tax_deductible", "tax_not_deductible"}
PARTS = {"net": NET, "gross": GROSS, "payable": GROSS | {"retained"}, "tax_reverse": frozenset(("tax_reverse_deductible", "tax_reverse_not_deductible"))}


def left_out(rule, amounts):
    """Whether the line has tax under reverse charge, which is in no sum that every rule posts, and the rule does not post it."""
    posted = set()
    for row in rule["lines"]:
        posted |= PARTS.get(row["amount"], {row["amount"]})
    return any(amounts.get(part, 0) and part not in posted for part in PARTS["tax_reverse"])


class Draft:
    """A journal in the making for one decision. Lines whose accounts cannot be found leave their reasons in the decision."""

    def __init__(self, decision, currency):
        self.decision, self.currency = decision, currency
        self.rows = {}               # (account, side, cost centre, project, tax code, partner) -> amount

    def add(self, step, coding, amounts):
        """Posts the amounts (name -> 1/10,000) of a document line by the rule for its step; a negative amount takes the other side."""
        decision = self.decision
        if decision.entity is None or decision.supplier is None:
            return                   # found already; without them no rule can be picked
        entity, group = decision.entity, decision.supplier["group"]
        rule_set = decision.masters.posting_rules.find((entity["rule_set"],), decision.date)
        rule = decision.task.pick_rule(rule_set, step, coding.category, group, coding.tax_code)
        if rule is None or left_out(rule, amounts):
            decision.found("RULE_MISSING")
            return
        for row in rule["lines"]:
            if row["amount"] not in AMOUNTS:
                decision.found("RULE_MISSING")
                continue
            amount = amounts.get(row["amount"], 0)
            if amount == 0:
                continue
            account = self._account(row["account"], coding, group)
            if account is None:
                continue
            side = row["side"] if amount > 0 else OTHER_SIDE[row["side"]]
            key = (account, side, coding.cost_centre if row.get("cost_centre") else "", coding.project if row.get("project") else "",
                   coding.tax_code if row.get("tax_code") else "", decision.event.supplier if row.get("partner") else "")
            self.rows[key] = self.rows.get(key, 0) + abs(amount)

    def _account(self, account, coding, group):
        if account == "line":
            return coding.account
        if account in ("supplier", "tax_code"):
            record = self.decision.supplier if account == "supplier" else self._tax_code(coding.tax_code)
            if record and record["account"]:
                return record["account"]
            if record:
                self.decision.found("MAPPING_MISSING")
            return None
        if not account.startswith("map:"):
            return account
        _, mapping_set, dimension = account.split(":")
        code = {"category": coding.category, "tax_code": coding.tax_code, "supplier_group": group}[dimension]
        target = self.decision.masters.mapping(mapping_set, code, self.decision.date)
        if target is None:
            self.decision.found("MAPPING_MISSING")
        return target

    def _tax_code(self, tax_code):
        return self.decision.masters.tax_codes.find((self.decision.event.entity, tax_code), self.decision.tax_date)

    def finish(self, document, step):
        """Checks the accounts and dimensions; the journal, or None when nothing is left to post."""
        decision = self.decision
        entity = decision.entity
        if entity is None:
            return None
        rate = decision.masters.rate(self.currency, entity["functional_currency"], decision.date)
        if rate is None and self.rows:
            decision.found("FX_RATE_MISSING")
        lines = []
        for (account, side, cost_centre, project, tax_code, partner), amount in self.rows.items():
            unit = MINOR_UNIT[entity["functional_currency"]]
            functional = round_half_up(amount * (rate or 0), 10 ** RATE_DIGITS, unit)
            lines.append((account, side, amount, functional, cost_centre, project, tax_code, partner))
        check_lines(decision, lines)
        if _difference(lines, 2) and "RULE_MISSING" not in decision.reasons and "MAPPING_MISSING" not in decision.reasons:
            decision.found("RULE_MISSING")      # the rules do not balance, so none of them fits
        remainder = _difference(lines, 3)
        if remainder:
            lines.append((entity["rounding_account"], "credit" if remainder > 0 else "debit", 0, abs(remainder), "", "", "", ""))
        if not lines:
            return None
        return Journal(decision.event.entity, document, step, decision.date, self.currency, lines)


def _difference(lines, position):
    return sum(line[position] if line[1] == "debit" else -line[position] for line in lines)


def check_lines(decision, lines):
    """The accounts, cost centres and projects of journal lines, as of the posting date."""
    masters, entity, date = decision.masters, decision.entity, decision.date
    for account, _, _, _, cost_centre, project, _, _ in lines:
        record = masters.accounts.find((entity["chart"], account), date)
        if record is None:
            decision.found("ACCOUNT_UNKNOWN")
        else:
            if record["status"] == "closed":
                decision.found("ACCOUNT_CLOSED")
            if record["cost_centre"] == ("forbidden" if cost_centre else "required"):
                decision.found("ACCOUNT_COMBINATION_INVALID")
        for value, table, name in ((cost_centre, masters.cost_centres, "COST_CENTRE"), (project, masters.projects, "PROJECT")):
            if value:
                record = table.find((decision.event.entity, value), date)
                if record is None:
                    decision.found(name + "_UNKNOWN")
                elif record["status"] == "closed":
                    decision.found(name + "_CLOSED")


def reverse(decision, journal):
    """The reversal of a stored journal on the decision's posting date; None when there was none."""
    if journal is None:
        return None
    decision.journal_follows = True
    if decision.entity is not None:
        check_lines(decision, journal.lines)
    return journal.reversed_on(decision.date)

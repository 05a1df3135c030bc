"""The codec against fastavro (values and schema resolution) and avro-c (bytes): random schemas, values and evolution pairs.

  differential.py --cli CODEC_CLI [--seed N] [--pairs N]

Each pair is a writer's schema, a value written by fastavro, and a reader's schema derived from the writer's by changes that Avro allows (and some that fail
for certain values only). Both sides read the bytes; what they say must agree. Differences that are ours by intention (plan.h, function
`intended`) are counted apart. Every record is also cut at a random place: that must be "truncated".
"""
import argparse
import base64
import copy
import datetime
import decimal
import io
import json
import math
import random
import struct
import subprocess
import sys
import threading
import time
import uuid

import fastavro

decimal.getcontext().prec = 80
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]


class Random(random.Random):
    def chance(self, share):
        return self.random() < share


# ---- schemas ----

class Maker:
    """Random schemas with unique names for named types, now and then a reference to an earlier one."""

    def __init__(self, rng):
        self.rng, self.count, self.named = rng, 0, []

    def name(self, kind):
        self.count += 1
        return f"{kind}{self.count}"

    def logical(self):
        kind = self.rng.choice(["decimal", "decimal", "fixed-decimal", "date", "timestamp-millis", "timestamp-micros", "uuid"])
        precision = self.rng.choice([4, 9, 15, 18, 18, 22, 30])
        scale = self.rng.randint(0, min(precision, 8))
        if kind == "decimal":
            return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
        if kind == "fixed-decimal":
            return {"type": "fixed", "name": self.name("Fixed"), "size": self.rng.randint(13, 18), "logicalType": "decimal",
                    "precision": precision, "scale": scale}
        base = {"date": "int", "uuid": "string"}.get(kind, "long")
        return {"type": base, "logicalType": kind}

    def type(self, depth, in_union=False):
        roll = self.rng.random()
        if depth > 0 and roll < 0.12:
            return self.record(depth - 1)
        if depth > 0 and roll < 0.22:
            return {"type": "array", "items": self.type(depth - 1)}
        if depth > 0 and roll < 0.29:
            return {"type": "map", "values": self.type(depth - 1)}
        if depth > 0 and not in_union and roll < 0.45:
            return self.union(depth - 1)
        if roll < 0.52:
            return self.enum()
        if roll < 0.56:
            return {"type": "fixed", "name": self.name("Fixed"), "size": self.rng.randint(1, 9)}
        if roll < 0.72:
            return self.logical()
        if roll < 0.76 and self.named and not in_union:
            return self.rng.choice(self.named)
        return self.rng.choice(PRIMITIVES)

    def enum(self):
        symbols = [f"S{i}" for i in range(self.rng.randint(1, 6))]
        schema = {"type": "enum", "name": self.name("Enum"), "symbols": symbols}
        if self.rng.chance(0.3):
            schema["default"] = self.rng.choice(symbols)
        return schema

    def union(self, depth):
        if self.rng.chance(0.6):
            branches = ["null", self.type(depth, in_union=True)]
            if branches[1] == "null":
                branches[1] = "string"
            return branches if self.rng.chance(0.8) else branches[::-1]
        branches, seen = [], set()
        for _ in range(self.rng.randint(1, 5)):
            branch = self.type(depth, in_union=True)
            base = branch if isinstance(branch, str) else branch["type"]
            key = branch.get("name") if base in ("record", "enum", "fixed") else base
            if key not in seen:
                seen.add(key)
                branches.append(branch)
        return branches

    def record(self, depth):
        name = self.name("Record")
        fields = [{"name": f"f{i}", "type": self.type(depth)} for i in range(self.rng.randint(0 if depth < 2 else 1, 6))]
        self.named.append(name)
        return {"type": "record", "name": name, "fields": fields}


def resolve(schema, names):
    return names[schema] if isinstance(schema, str) and schema in names else schema


def collect(schema, names):
    """The named types of a schema by name."""
    if isinstance(schema, list):
        for branch in schema:
            collect(branch, names)
    elif isinstance(schema, dict):
        if "name" in schema:
            names[schema["name"]] = schema
        for field in schema.get("fields", []):
            collect(field["type"], names)
        for part in ("items", "values"):
            if part in schema:
                collect(schema[part], names)
    return names


def kind_of(schema):
    if isinstance(schema, list):
        return "union"
    if isinstance(schema, str):
        return schema
    return schema.get("logicalType", schema["type"])


# ---- values ----

def text(rng):
    alphabet = rng.choice(["abcXYZ 019-_", "äöü€ß漢字😀", "\u0000\n\t\"\\/\u001f", "a"])
    return "".join(rng.choice(alphabet) for _ in range(rng.choice([0, 1, 3, 7, 8, 9, 15, 17, 40])))


def integer(rng, bits):
    limit = 1 << (bits - 1)
    return rng.choice([0, 1, -1, 63, 64, -64, -65, limit - 1, -limit, rng.randint(-limit, limit - 1), rng.randint(-10000, 10000)])


def amount(rng, precision, scale):
    digits = rng.randint(0, precision)
    number = rng.randint(0, 10 ** digits - 1) if digits else 0
    if rng.chance(0.3):
        number = number // 10 ** min(scale, precision) * 10 ** min(scale, precision)
    return decimal.Decimal(-number if rng.chance(0.4) else number).scaleb(-scale)


def value(rng, schema, names):
    schema = resolve(schema, names)
    kind = kind_of(schema)
    if kind == "union":
        branch = rng.choice(schema)
        resolved = resolve(branch, names)
        label = resolved if isinstance(resolved, str) else resolved.get("name", resolved["type"])
        return (label, value(rng, branch, names))  # fastavro's way to say which branch
    if kind == "null":
        return None
    if kind == "boolean":
        return rng.chance(0.5)
    if kind in ("int", "long"):
        return integer(rng, 32 if kind == "int" else 64)
    if kind in ("float", "double"):
        number = rng.choice([0.0, -0.0, 1.5, -2.25, 1e10, 3.0, rng.uniform(-1e6, 1e6)])
        return number
    if kind == "bytes":
        return text(rng).encode() if rng.chance(0.5) else rng.randbytes(rng.choice([0, 1, 5, 9, 33]))
    if kind == "fixed":
        return rng.randbytes(schema["size"])
    if kind == "string":
        return text(rng)
    if kind == "uuid":
        return str(uuid.UUID(int=rng.getrandbits(128)))
    if kind == "decimal":
        return amount(rng, schema["precision"], schema.get("scale", 0))
    if kind == "date":
        return datetime.date(1970, 1, 1) + datetime.timedelta(days=rng.randint(-300000, 300000))
    if kind == "timestamp-millis":
        return EPOCH + datetime.timedelta(milliseconds=rng.randint(-10 ** 13, 10 ** 14))
    if kind == "timestamp-micros":
        return EPOCH + datetime.timedelta(microseconds=rng.randint(-10 ** 16, 10 ** 17))
    if kind == "enum":
        return rng.choice(schema["symbols"])
    if kind == "array":
        return [value(rng, schema["items"], names) for _ in range(rng.choice([0, 1, 2, 5]))]
    if kind == "map":
        # jansson has no zero byte in an object's key
        return {text(rng).replace("\0", "") + str(i): value(rng, schema["values"], names) for i in range(rng.choice([0, 1, 2, 4]))}
    return {field["name"]: value(rng, field["type"], names) for field in schema["fields"]}


def default(rng, schema, names):
    """A default in Avro's own JSON form."""
    schema = resolve(schema, names)
    kind = kind_of(schema)
    if kind == "union":
        return default(rng, schema[0], names)
    if kind == "decimal":
        size = schema.get("size", 0) or rng.randint(1, 2)
        number = rng.randint(-99, 99)
        return number.to_bytes(size, "big", signed=True).decode("latin-1")
    if kind in ("bytes", "fixed"):
        return rng.randbytes(schema["size"] if kind == "fixed" else 3).decode("latin-1")
    if kind in ("date", "timestamp-millis", "timestamp-micros"):
        return rng.randint(-100000, 100000)
    if kind == "array":
        return [default(rng, schema["items"], names) for _ in range(rng.randint(0, 2))]
    if kind == "map":
        return {f"k{i}": default(rng, schema["values"], names) for i in range(rng.randint(0, 2))}
    if kind == "record":
        return {field["name"]: default(rng, field["type"], names) for field in schema["fields"]}
    return value(rng, schema, names)


# ---- evolution ----

PROMOTIONS = {"int": ["long", "float", "double"], "long": ["float", "double"], "float": ["double"], "string": ["bytes"], "bytes": ["string"]}


class Evolution:
    """The reader's schema: the writer's with allowed changes."""

    def __init__(self, rng, maker):
        self.rng, self.maker, self.renamed = rng, maker, {}

    def type(self, schema, in_union=False):
        rng = self.rng
        if isinstance(schema, list):
            return self.union(schema)
        if isinstance(schema, str):
            if schema in self.renamed:
                return self.renamed[schema]
            if schema in PROMOTIONS and not in_union and rng.chance(0.2):
                schema = rng.choice(PROMOTIONS[schema])
        else:
            schema = self.complex(schema)
        if not in_union and schema != "null" and rng.chance(0.08):
            return ["null", schema] if rng.chance(0.7) else [schema, "null"]
        return schema

    def union(self, schema):
        branches = [self.type(branch, in_union=True) for branch in schema]
        if self.rng.chance(0.15) and "null" in branches and len(branches) == 2:
            return branches[1 - branches.index("null")]
        if self.rng.chance(0.2):
            self.rng.shuffle(branches)
        if self.rng.chance(0.15):
            branches.append(self.maker.enum())
        if len(branches) > 2 and self.rng.chance(0.15):
            branches.pop()
        return branches

    def complex(self, schema):
        rng, kind = self.rng, kind_of(schema)
        schema = dict(schema)
        if kind == "record":
            return self.record(schema)
        if kind in ("array", "map"):
            part = "items" if kind == "array" else "values"
            schema[part] = self.type(schema[part])
        elif kind == "enum":
            symbols = list(schema["symbols"])
            if rng.chance(0.2):
                rng.shuffle(symbols)
            if rng.chance(0.3):
                symbols.append("ADDED")
            if len(symbols) > 1 and rng.chance(0.25):
                symbols.pop(0)
                schema.pop("default", None)
                if rng.chance(0.6):
                    schema["default"] = symbols[0]
            if schema.get("default") not in symbols:
                schema.pop("default", None)
            schema["symbols"] = symbols
        elif kind == "decimal" and schema["type"] == "bytes" and rng.chance(0.4):
            schema["scale"] = rng.randint(0, 10)
            schema["precision"] = max(schema["scale"], rng.choice([6, 12, 18, 24]), 1)
        elif kind == "timestamp-millis" and rng.chance(0.2):
            schema["logicalType"] = "timestamp-micros"
        return schema

    def record(self, schema):
        rng = self.rng
        name = schema["name"]
        if rng.chance(0.15):
            schema["aliases"] = [name]
            schema["name"] = self.renamed[name] = name + "Renamed"
        fields = []
        for field in schema["fields"]:
            if rng.chance(0.12) and kind_of(field["type"]) not in ("record", "array", "map", "enum", "fixed", "union", "decimal"):
                continue  # skipped by the reader (named types stay: others may refer to them)
            evolved = {"name": field["name"], "type": self.type(field["type"])}
            if rng.chance(0.12):
                evolved["aliases"] = ["never", field["name"]]
                evolved["name"] = field["name"] + "_renamed"
            fields.append(evolved)
        if rng.chance(0.3):
            rng.shuffle(fields) if not collect([f["type"] for f in fields], {}) else None
        schema["fields"] = fields
        for _ in range(rng.choice([0, 0, 1, 2])):
            added = self.maker.type(1)
            names = collect(schema, {})
            if isinstance(added, str) and added not in PRIMITIVES or uses_reference(added):
                continue
            collect(added, names)
            fields.append({"name": f"added{len(fields)}", "type": added, "default": default(rng, added, names)})
        return schema


def uses_reference(schema):
    if isinstance(schema, str):
        return schema not in PRIMITIVES
    if isinstance(schema, list):
        return any(uses_reference(branch) for branch in schema)
    return any(uses_reference(part) for part in [f["type"] for f in schema.get("fields", [])] + [schema[p] for p in ("items", "values") if p in schema])


# ---- comparison: ours (JSON of the CLI) with theirs (fastavro's Python values), under the reader's schema ----

def moment(units, per_second):
    seconds, fraction = divmod(units, per_second)
    stamp = (EPOCH + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    if len(stamp) < 19:
        stamp = stamp.rjust(19, "0")
    digits = 3 if per_second == 1000 else 6
    return stamp + (f".{fraction:0{digits}d}" if fraction else "") + "Z"


def units(theirs, per_second):
    if isinstance(theirs, int):
        return theirs
    delta = theirs - EPOCH
    micros = (delta.days * 86400 + delta.seconds) * 1000000 + delta.microseconds
    return micros // (1000000 // per_second)


def number_of(theirs, schema):
    if isinstance(theirs, str):  # a default
        return decimal.Decimal(int.from_bytes(theirs.encode("latin-1"), "big", signed=True)).scaleb(-schema.get("scale", 0))
    return theirs


def same_decimal(ours, theirs, schema):
    theirs, scale = number_of(theirs, schema), schema.get("scale", 0)
    scaled = theirs.scaleb(scale)
    whole = scaled == scaled.to_integral_value()
    fits = whole and abs(scaled) < 10 ** schema["precision"] and abs(scaled) <= 2 ** 63 - 2
    if not fits:
        return ours is None
    return ours == f"{theirs:.{scale}f}" or (scaled == 0 and ours == f"{decimal.Decimal(0):.{scale}f}")


def same(ours, theirs, schema, names):
    schema = resolve(schema, names)
    kind = kind_of(schema)
    if kind == "union":
        null_at = [i for i, b in enumerate(schema) if b == "null"]
        if theirs is None:
            return ours is None and bool(null_at)
        if len(schema) == 2 and null_at:
            return same(ours, theirs, schema[1 - null_at[0]], names)
        for branch in schema:
            resolved = resolve(branch, names)
            label = resolved["name"] if isinstance(resolved, dict) and "name" in resolved else kind_of(resolved)
            if isinstance(ours, dict) and list(ours) == [label]:
                # Where several branches fit we take the very same type (as Java does), fastavro the first that fits by promotion.
                if label in ("int", "long") and isinstance(theirs, float):
                    return float(ours[label]) == theirs
                if label == "bytes" and isinstance(theirs, str) or label == "string" and isinstance(theirs, bytes):
                    return same(ours[label], theirs, label, names)
                return same(ours[label], theirs, branch, names)
        return False
    if kind == "null":
        return ours is None and theirs is None
    if kind == "decimal":
        return isinstance(theirs, (decimal.Decimal, str)) and same_decimal(ours, theirs, schema)
    if kind in ("float", "double"):
        if not isinstance(theirs, (int, float)) or isinstance(theirs, bool) or ours is None:
            return False
        narrow = struct.unpack("<f", struct.pack("<f", float(theirs)))[0] if kind == "float" else float(theirs)
        again = struct.unpack("<f", struct.pack("<f", ours))[0] if kind == "float" else ours
        return again == narrow and math.copysign(1, again) == math.copysign(1, narrow)
    if kind in ("bytes", "fixed"):
        theirs = str(theirs) if isinstance(theirs, uuid.UUID) else theirs
        # A text is either a string that was promoted or a default, whose code points are the bytes.
        readings = [theirs] if isinstance(theirs, bytes) else [theirs.encode(), theirs.encode("latin-1", "replace")]
        return base64.b64decode(ours) in readings
    if kind == "string":
        return ours == (theirs.decode() if isinstance(theirs, bytes) else theirs)
    if kind == "uuid":
        return ours == str(theirs)
    if kind == "date":
        day = theirs if isinstance(theirs, datetime.date) else datetime.date(1970, 1, 1) + datetime.timedelta(days=theirs)
        return ours == f"{day.year:04d}-{day.month:02d}-{day.day:02d}"
    if kind in ("timestamp-millis", "timestamp-micros"):
        per_second = 1000 if kind == "timestamp-millis" else 1000000
        return ours == moment(units(theirs, per_second), per_second)
    if kind == "array":
        return isinstance(ours, list) and len(ours) == len(theirs) and all(same(o, t, schema["items"], names) for o, t in zip(ours, theirs))
    if kind == "map":
        return isinstance(ours, dict) and ours.keys() == theirs.keys() and all(same(ours[k], theirs[k], schema["values"], names) for k in ours)
    if kind == "long" and type(theirs) is datetime.date:  # a date, in a union that has no date any more
        return ours == (theirs - datetime.date(1970, 1, 1)).days
    if kind == "record":
        return list(ours) == [f["name"] for f in schema["fields"]] and all(
            same(ours[f["name"]], theirs[f["name"]], f["type"], names) for f in schema["fields"])
    return type(ours) is type(theirs) and ours == theirs  # boolean, int, long, enum


# ---- the run ----

def has_logical(schema):
    return '"logicalType"' in json.dumps(schema)


def make_pair(seed):
    rng = Random(seed)
    while True:
        maker = Maker(rng)
        writer = maker.record(3)
        try:
            fastavro.parse_schema(copy.deepcopy(writer))
            break
        except fastavro.schema.UnknownType:
            pass  # a reference to a type in a union's branch that was dropped
    names = collect(writer, {})
    content = value(rng, writer, names)
    reader = copy.deepcopy(writer)
    if rng.chance(0.8):
        reader = Evolution(rng, maker).type(reader, in_union=True)
    return rng, writer, content, reader


class Cli:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, requests):
        """All requests at once; the answers in order."""
        def send():
            for request in requests:
                self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.close()
        sender = threading.Thread(target=send)
        sender.start()
        answers = [json.loads(line) for line in self.process.stdout]
        sender.join()
        code = self.process.wait()
        if code or len(answers) != len(requests):
            sys.exit(f"differential: the CLI ended with {code} after {len(answers)} of {len(requests)} answers")
        return answers


def write(schema, content):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(copy.deepcopy(schema)), content)
    return out.getvalue()


def read(data, writer, reader):
    return fastavro.schemaless_reader(io.BytesIO(data), fastavro.parse_schema(copy.deepcopy(writer)), fastavro.parse_schema(copy.deepcopy(reader)))


def unions(schema):
    """All unions in a schema."""
    if isinstance(schema, list):
        yield schema
        for branch in schema:
            yield from unions(branch)
    elif isinstance(schema, dict):
        for part in [f["type"] for f in schema.get("fields", [])] + [schema[p] for p in ("items", "values") if p in schema]:
            yield from unions(part)


def intended(case, answer, problem):
    """Where plan.h says that we differ: dates, times and decimals are not taken for other things in a union; the very same branch comes before one by
    promotion; a decimal in a fixed is read where ours is in bytes."""
    kinds = json.dumps(case["writer"])
    if answer.get("result") == "a value that our schema cannot hold":
        return problem is None and any(kind in kinds for kind in ('"date"', '"timestamp-', '"decimal"'))
    if isinstance(problem, UnicodeDecodeError):
        return any("bytes" in union for union in unions(case["reader"]))
    return problem is not None and "value" in answer and any(
        any(isinstance(b, dict) and kind_of(b) == "decimal" for b in union) for union in unions(case["writer"]))


def judge(case, answer, counts):
    """None when both agree, else what differs."""
    writer, reader, data = case["writer"], case["reader"], case["data"]
    try:
        theirs, problem = read(data, writer, reader), None
    except Exception as exception:  # whatever fastavro says no with
        theirs, problem = None, exception
    if intended(case, answer, problem):
        counts["different by intention"] += 1
        return None
    if problem is not None:
        counts["both refuse"] += 1
        return None if "refused" in answer or answer.get("result") in ("a value that our schema cannot hold", "not a value of its schema") \
            else f"fastavro refuses ({problem!r}), we do not"
    if "value" not in answer:
        return f"fastavro reads {theirs!r}, we do not"
    names = collect(reader, {})
    if not same(answer["value"], theirs, reader, names):
        return f"fastavro reads {theirs!r}"
    counts["same value"] += 1
    if answer["encoded"] is not None:
        if not answer["roundtrip"]:
            return "JSON and back gives other bytes"
        try:
            again = read(bytes.fromhex(answer["encoded"]), reader, reader)
        except ValueError as exception:
            if "UUID" in str(exception):  # a plain string read as uuid: we do not check its form
                return None
            raise
        if not same(answer["value"], again, reader, names):
            return f"fastavro reads what we encoded as {again!r}"
        counts["encoded, read by fastavro"] += 1
    if answer.get("avro_c") is not None and writer == reader and answer["avro_c"] != answer["encoded"]:
        return "avro-c writes other bytes"
    counts["same bytes as avro-c"] += answer.get("avro_c") is not None and writer == reader
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cli", required=True)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--pairs", type=int, default=3000)
    options = parser.parse_args()
    print(f"differential: seed {options.seed}, fastavro {fastavro.__version__}", flush=True)
    started = time.monotonic()
    cases, requests = [], []
    for number in range(options.pairs):
        rng, writer, content, reader = make_pair(options.seed * 1000003 + number)
        data = write(writer, content)
        request = {"writer": json.dumps(writer), "reader": json.dumps(reader), "bytes": data.hex(), "avro_c": not has_logical(writer)}
        cases.append({"number": number, "writer": writer, "reader": reader, "data": data, "cut": False})
        requests.append(request)
        if data:
            cut = data[:rng.randrange(len(data))]
            cases.append({"number": number, "writer": writer, "reader": writer, "data": cut, "cut": True})
            requests.append({"writer": request["writer"], "reader": request["writer"], "bytes": cut.hex(), "avro_c": False})
    counts = {"same value": 0, "both refuse": 0, "different by intention": 0, "encoded, read by fastavro": 0, "same bytes as avro-c": 0, "cut": 0}
    failures = 0
    for case, request, answer in zip(cases, requests, Cli(options.cli).ask(requests)):
        if case["cut"]:
            counts["cut"] += 1
            difference = None if answer.get("result") == "truncated" else "cut, but not reported as truncated"
        else:
            difference = judge(case, answer, counts)
        if difference:
            failures += 1
            if failures <= 5:
                print(f"pair {case['number']}: {difference}\n  request {json.dumps(request)}\n  answer {json.dumps(answer)}")
    summary = ", ".join(f"{count} {what}" for what, count in counts.items())
    print(f"differential: {options.pairs} pairs in {time.monotonic() - started:.1f} s: {summary}; {failures} differ")
    sys.exit(1 if failures else 0)


main()

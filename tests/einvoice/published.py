"""The published rules of EN 16931 as an oracle: CEN/TC 434's own XSLT, run by Saxon, says which rules a document breaks.

Fetched for the tests and kept beside the build: Saxon (saxonche) from PyPI, the stylesheets of release 1.3.16 from Maven Central (pom.xml). Run as a program in
its own environment: published.py FOLDER FILE... prints {file: [rule, ...]}, null for a document that the stylesheet itself cannot digest."""
import hashlib
import json
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SAXON = "saxonche==13.1.1"
SHEETS = {"UBL": ("external/schematron/1.3.16/ubl/EN16931-UBL-validation.xslt", "39f9d282867f1a49e7708d9e29a53da89643e1ee56f10cec1ebcf1277595fcbd"),
          "CII": ("external/schematron/1.3.16/cii/EN16931-CII-validation.xslt", "0b234dea2bbfee739b7761e607a992c17fab88773014ef56355b6158cfb1cc53")}


class Missing(Exception):
    """The oracle cannot be had here; the text says why."""


def run(*command, log):
    with open(log, "wb") as out:
        if subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL).returncode:
            raise Missing(f"{Path(command[0]).name} failed: {(log.read_text(errors='replace').strip().splitlines() or ['without a word'])[-1][:200]}")


def fetch(folder):
    """The interpreter that has Saxon; the stylesheets lie in the folder then."""
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / "venv" / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-c", "import saxonche"], capture_output=True).returncode:
        venv.create(folder / "venv", with_pip=True)
        run(python, "-m", "pip", "install", "--quiet", SAXON, log=folder / "pip.log")
    if not all((folder / f"{syntax}.xslt").exists() for syntax in SHEETS):
        if not shutil.which("mvn"):
            raise Missing("Maven is not installed, which fetches the published stylesheets")
        run("mvn", "--batch-mode", "--quiet", "--strict-checksums", f"-Ddestination={folder}", "-f", str(HERE / "pom.xml"), "generate-resources", log=folder / "maven.log")
        with zipfile.ZipFile(next(folder.glob("phive-rules-en16931-*.jar"))) as packed:
            for syntax, (member, _) in SHEETS.items():
                (folder / f"{syntax}.xslt").write_bytes(packed.read(member))
    for syntax, (_, checksum) in SHEETS.items():
        found = hashlib.sha256((folder / f"{syntax}.xslt").read_bytes()).hexdigest()
        assert found == checksum, f"{syntax}.xslt is not the published one: {found}"
    return python


def syntax_of(content):
    return "CII" if b"CrossIndustryInvoice" in content else "UBL"


def ask(folder, files):
    """{file: set of rules broken, or None}"""
    python = fetch(folder)
    answer = subprocess.run([python, __file__, str(folder)], input="\n".join(map(str, files)), capture_output=True, text=True, check=True)
    return {Path(file): rules if rules is None else set(rules) for file, rules in json.loads(answer.stdout).items()}


def main():
    from saxonche import PySaxonApiError, PySaxonProcessor
    folder, answer = Path(sys.argv[1]), {}
    with PySaxonProcessor(license=False) as processor:
        compiler = processor.new_xslt30_processor()
        sheets = {syntax: compiler.compile_stylesheet(stylesheet_file=str(folder / f"{syntax}.xslt")) for syntax in SHEETS}
        for file in sys.stdin.read().splitlines():
            try:
                report = sheets[syntax_of(Path(file).read_bytes())].transform_to_string(source_file=file)
                answer[file] = sorted(set(re.findall(r'<svrl:failed-assert[^>]*?\bid="([^"]+)"', report)))
            except PySaxonApiError:
                answer[file] = None
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()

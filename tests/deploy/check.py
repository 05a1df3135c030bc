"""docker-compose.yml, Dockerfile and deploy/kubernetes, as files: complete, hardened, of one version, understood by the programs that they configure."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import kubernetes_validate
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "harness"))
from cluster import BIN, finish, test  # noqa: E402

KUBERNETES = REPOSITORY / "deploy" / "kubernetes"
OLDEST, NEWEST = "1.28", "1.37"
SECRETS = {"kafka-password": "hunter2", "registry-password": "hunter3", "kafka-ca.pem": "-", "registry-ca.pem": "-"}
SECRETS_FOLDER = tempfile.TemporaryDirectory()


def processors():
    lines = (REPOSITORY / "deploy" / "local" / "processors").read_text().splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


def interpolated(text):
    """The value that docker compose takes where no variable is set."""
    return re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", str(text))


COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()


def configuration(program, environment):
    """What --print-config says with this environment and no other variable of kontor's: (exit status, standard output, standard error)."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KONTOR_")}
    found = subprocess.run([BIN / program, "--print-config"], env={**clean, **environment}, capture_output=True, text=True)
    return found.returncode, found.stdout, found.stderr


# ---------------------------------------------------------------- docker-compose.yml and Dockerfile

def compose_file():
    for name in processors():
        with test(f"compose: {name} is a service"):
            short = name.removeprefix("kontor-")
            assert short in SERVICES, f"docker-compose.yml has no service {short}: add it beside the other processors"
            service = SERVICES[short]
            assert service["build"] == {"context": ".", "target": "processor", "args": {"PROCESSOR": name}} and service["image"] == f"kontor/{short}", service
            assert service["depends_on"]["setup"] == {"condition": "service_completed_successfully"}
            environment = {key: interpolated(value) for key, value in service["environment"].items()}
            status, _, problem = configuration(name, {**environment, "KONTOR_INSTANCE_NAME": "x-1", "KONTOR_STATE_DIR": "/x"})
            assert status == 0, problem
    with test("compose: no processor that is not in deploy/local/processors"):
        built = {service["build"]["args"]["PROCESSOR"] for service in SERVICES.values() if "args" in service.get("build", {})}
        assert built == set(processors()), built ^ set(processors())
    with test("compose: what is kontor's own is read-only, without capabilities, stops soon"):
        own = {name: service for name, service in SERVICES.items() if "build" in service and name != "registry-volume"}
        assert len(own) == len(processors()) + 4
        for name, service in own.items():
            assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and service["tmpfs"] and service["security_opt"] == ["no-new-privileges:true"], name
            assert service["stop_grace_period"] == "5s" and "privileged" not in service and "user" not in service, name
        helper = SERVICES["registry-volume"]
        assert helper["read_only"] is True and helper["cap_drop"] == ["ALL"] and helper["network_mode"] == "none"
    with test("compose: the probe runs where its master data is, and Prometheus finds it"):
        probe = SERVICES["probe"]
        assert probe["profiles"] == ["sample", "probe"] and probe["build"] == {"context": ".", "target": "probe"} and probe["image"] == "kontor/probe"
        assert probe["networks"] == SERVICES["invoice"]["networks"] and (REPOSITORY / interpolated(probe["volumes"][0]).split(":")[0]).is_file()
        assert interpolated(probe["volumes"][0]).split(":")[1] in DOCKERFILE.split("FROM kontor AS probe")[1].split("CMD [")[2]
    with test("compose: every port is on 127.0.0.1"):
        ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
        assert len(ports) == 4 and all(port.startswith("127.0.0.1:") for port in ports), ports
    with test("compose: Prometheus asks the name that all processors have, at the port of their image"):
        scraped = yaml.safe_load((REPOSITORY / "deploy" / "prometheus" / "prometheus.yml").read_text())["scrape_configs"][0]["dns_sd_configs"][0]
        assert all(SERVICES[name.removeprefix("kontor-")]["networks"]["kontor"]["aliases"] == scraped["names"] for name in processors())
        assert f"KONTOR_METRICS_LISTEN=0.0.0.0:{scraped['port']}\n" in DOCKERFILE and f"EXPOSE {scraped['port']}\n" in DOCKERFILE
    with test("compose: Grafana's data source is the Prometheus of the file"):
        folder = REPOSITORY / "deploy" / "grafana" / "provisioning"
        source = yaml.safe_load((folder / "datasources" / "kontor.yml").read_text())["datasources"][0]
        assert source["type"] == "prometheus" and source["url"] == "http://prometheus:9090" and source["uid"] == "kontor-prometheus"
        shown = yaml.safe_load((folder / "dashboards" / "kontor.yml").read_text())["providers"][0]["options"]["path"]
        assert f"./deploy/grafana/dashboards:{shown}:ro" in SERVICES["grafana"]["volumes"]


def versions():
    with test("images: the version is CMakeLists.txt's"):
        version = re.search(r"project\(kontor VERSION ([0-9.]+)", (REPOSITORY / "CMakeLists.txt").read_text())[1]
        assert f'org.opencontainers.image.version="{version}"' in DOCKERFILE
    with test("compose: broker and registry are of the versions that deploy/local runs"):
        pom = (REPOSITORY / "deploy" / "local" / "java" / "pom.xml").read_text()
        assert SERVICES["kafka"]["image"].split(":")[1] in pom and SERVICES["registry"]["image"].split(":")[1] in pom
    with test("images: their user owns the state's volume and is no root"):
        user = re.search(r"useradd --uid (\d+)", DOCKERFILE)[1]
        assert int(user) > 0 and f"-o {user} -g {user}" in DOCKERFILE and f"USER {user}:{user}" in DOCKERFILE
        assert DOCKERFILE.rindex("USER root") < DOCKERFILE.rindex(f"USER {user}:{user}")


# ---------------------------------------------------------------- who an instance is

STUBS = {"hostname": '[ "${1:-}" = -I ] && echo "203.0.113.5 " || echo "$STUB_HOST"',
         "getent": '[ "$*" = "-s dns hosts 203.0.113.5" ] && [ -n "$STUB_NAME" ] && echo "203.0.113.5  $STUB_NAME"'}


def instance(host, name, variables=None, arguments=("sh", "-c", 'echo "$KONTOR_INSTANCE_NAME $KONTOR_STATE_DIR"')):
    """(standard output, standard error) of a program that deploy/containers/instance starts where the host is called so and the name server says so."""
    with tempfile.TemporaryDirectory() as folder:
        for stub, text in STUBS.items():
            (Path(folder) / stub).write_text(f"#!/bin/sh\n{text}\n")
            (Path(folder) / stub).chmod(0o755)
        environment = {"PATH": f"{folder}:{os.environ['PATH']}", "STUB_HOST": host, "STUB_NAME": name, **(variables or {})}
        found = subprocess.run([REPOSITORY / "deploy" / "containers" / "instance", *arguments], env=environment, capture_output=True, text=True, check=True)
        return found.stdout.strip(), found.stderr


def identity():
    with test("instance: the container's name, as Docker's name server says it"):
        assert instance("3f1c0ffee012", "kontor-invoice-2.kontor_kontor") == ("kontor-invoice-2 /var/lib/kontor/kontor-invoice-2", "")
    with test("instance: neither an alias that other replicas have, nor nothing, is a name: the container's id, and it says so"):
        for name in ("processors.dns.podman", "", "3f1c0ffee012.kontor_kontor"):
            said, warned = instance("3f1c0ffee012", name)
            assert said == "3f1c0ffee012 /var/lib/kontor/3f1c0ffee012" and warned.count("\n") == 1 and "set KONTOR_INSTANCE_NAME" in warned, (said, warned)
    with test("instance: a host name that somebody gave is the name"):
        assert instance("kontor-invoice-0", "other.kontor_kontor") == ("kontor-invoice-0 /var/lib/kontor/kontor-invoice-0", "")
        assert instance("invoicehost1", "") == ("invoicehost1 /var/lib/kontor/invoicehost1", "")
    with test("instance: what is set holds"):
        assert instance("3f1c0ffee012", "a-1.b", {"KONTOR_INSTANCE_NAME": "x-7"}) == ("x-7 /var/lib/kontor/x-7", "")
        assert instance("3f1c0ffee012", "a-1.b", {"KONTOR_STATE_DIR": "/data"})[0] == "a-1 /data"
        assert instance("3f1c0ffee012", "a-1.b", arguments=("echo", "--config", "/etc/x")) == ("--config /etc/x", "")


# ---------------------------------------------------------------- Kubernetes

def manifests(folder=KUBERNETES):
    """Every document of what kustomization.yaml names."""
    names = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    return [document for name in names for document in yaml.safe_load_all((folder / name).read_text()) if document]


def probe_component():
    return [document for document in yaml.safe_load_all((KUBERNETES / "probe" / "probe.yaml").read_text()) if document]


def refused(document, version):
    """Why the schema of this version refuses it; None when it does not."""
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return error.message
    return None


def generated():
    with test("kubernetes: what is generated is fresh; else deploy/kubernetes/generate"), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([KUBERNETES / "generate", folder], check=True)
        for path in folder.iterdir():
            assert (KUBERNETES / path.name).is_file() and (KUBERNETES / path.name).read_text() == path.read_text(), f"{path.name} is stale"
        extra = {path.name for path in KUBERNETES.glob("kontor-*.yaml")} - {path.name for path in folder.iterdir()}
        assert not extra, extra


def schemas(documents):
    with test(f"kubernetes: every manifest is what the schemas of {OLDEST} to {NEWEST} ask for"):
        for minor in range(int(OLDEST.split(".")[1]), int(NEWEST.split(".")[1]) + 1):
            for document in documents:
                why = refused(document, f"1.{minor}")
                assert why is None, f"1.{minor}: {document['kind']} {document['metadata']['name']}: {why}"
    with test("kubernetes: the schemas do refuse: a wrong type, a field that is not"):
        for path, value in ((("spec", "podManagementPolicy"), 3), (("spec", "replica"), 2)):
            wrong = next(yaml.safe_load(yaml.safe_dump(document)) for document in documents if document["kind"] == "StatefulSet")
            wrong[path[0]][path[1]] = value
            assert refused(wrong, NEWEST), path


def environment_of(container, documents):
    """Its variables, with secrets in a folder of their own: (variables, folder)."""
    maps = {document["metadata"]["name"]: document["data"] for document in documents if document["kind"] == "ConfigMap"}
    folder = SECRETS_FOLDER.name
    for name, text in SECRETS.items():
        (Path(folder) / name).write_text(text)
    variables = {}
    for source in container["envFrom"]:
        variables.update(maps[source["configMapRef"]["name"]])
    variables.update({entry["name"]: "pod-0" for entry in container.get("env", [])})
    return {name: value.replace("/etc/kontor/secrets", folder) for name, value in variables.items()}, folder


def one_processor(name, by_kind, documents):
    stateful, service, budget, scaler = (by_kind[kind][name] for kind in ("StatefulSet", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"))
    pod = stateful["spec"]["template"]
    container, = pod["spec"]["containers"]
    labels = pod["metadata"]["labels"]
    assert all(selector.items() <= labels.items() for selector in (service["spec"]["selector"], stateful["spec"]["selector"]["matchLabels"], budget["spec"]["selector"]["matchLabels"]))
    assert stateful["spec"]["serviceName"] == service["metadata"]["name"] and scaler["spec"]["scaleTargetRef"]["name"] == name
    assert scaler["spec"]["metrics"][0]["external"]["metric"] == {"name": "kontor_lag_records", "selector": {"matchLabels": {"processor": name.removeprefix("kontor-")}}}
    # A variable NAME_PORT for every service would be a KONTOR_ that is no key: the processor would refuse it.
    assert pod["spec"]["enableServiceLinks"] is False
    assert pod["spec"]["securityContext"]["runAsUser"] == 10001 and pod["spec"]["securityContext"]["fsGroup"] == 10001
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert {probe: container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")} == \
        {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    claimed = {claim["metadata"]["name"] for claim in stateful["spec"]["volumeClaimTemplates"]} | {volume["name"] for volume in pod["spec"]["volumes"]}
    assert set(mounts) == claimed and mounts["state"] == "/var/lib/kontor"
    variables, folder = environment_of(container, documents)
    status, shown, problem = configuration(name, {**variables, "KONTOR_STATE_DIR": "/x"})
    assert status == 0, problem
    assert "kafka.sasl.mechanism=SCRAM-SHA-512" in shown and "hunter" not in shown and folder in shown
    assert not [key for key in variables if "PASSWORD" in key and not key.endswith("_FILE")]


def references(documents):
    by_kind = {}
    for document in documents:
        by_kind.setdefault(document["kind"], {})[document["metadata"]["name"]] = document
    for name in processors():
        with test(f"kubernetes: {name}: selectors, probes, volumes and variables hang together"):
            assert name in by_kind["StatefulSet"], f"deploy/kubernetes has no {name}: deploy/kubernetes/generate"
            one_processor(name, by_kind, documents)
    with test("kubernetes: no processor that is not in deploy/local/processors"):
        assert set(by_kind["StatefulSet"]) == set(processors())
    with test("kubernetes: the network's policy is for all of it, and lets Prometheus in where the metrics are"):
        policy = by_kind["NetworkPolicy"]["kontor"]["spec"]
        pods = [document["spec"]["template"] for kind in ("StatefulSet", "Job") for document in by_kind[kind].values()]
        assert all(policy["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items() for pod in pods)
        assert policy["ingress"][0]["ports"] == [{"protocol": "TCP", "port": 9464}] and len(policy["ingress"]) == 1
    with test("kubernetes: the probe's component hangs together"):
        component = yaml.safe_load((KUBERNETES / "probe" / "kustomization.yaml").read_text())
        deployment, = probe_component()
        pod = deployment["spec"]["template"]
        container, = pod["spec"]["containers"]
        assert component["kind"] == "Component" and component["images"][0]["name"] == container["image"] == deployment["metadata"]["name"]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        assert by_kind["NetworkPolicy"]["kontor"]["spec"]["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        assert pod["spec"]["enableServiceLinks"] is False and pod["spec"]["securityContext"]["runAsUser"] == 10001
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["spec"]["volumes"]}
        assert container["args"][0].startswith(next(mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "events") + "/")
    with test("kubernetes: the command line takes the job's variables"):
        container, = by_kind["Job"]["kontor-setup"]["spec"]["template"]["spec"]["containers"]
        variables, _ = environment_of(container, documents)
        variables["KONTOR_KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:1"
        for plain in ("KONTOR_KAFKA_SECURITY_PROTOCOL", "KONTOR_KAFKA_SSL_CA_LOCATION"):
            del variables[plain]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("KONTOR_")}
        found = subprocess.run([BIN / "kontor", "topics", "check"], env={**clean, **variables}, capture_output=True, text=True)
        assert found.returncode == 1 and "no broker answers at 127.0.0.1:1" in found.stderr, found.stderr


compose_file()
versions()
identity()
generated()
schemas(manifests() + probe_component())
references(manifests())
sys.exit(finish())

"""Optional parts: Valkey for Ray's state, and the hours in which the service is suspended."""

import re
from collections.abc import Iterator, Sequence
from typing import Final
from zoneinfo import available_timezones

from tests.deploy.checks.manifests import Document, name_of, of_kind

_PASSWORD: Final = {"name": "valkey", "key": "password"}  # as deploy/README.md makes the Secret
_PING: Final = 'REDISCLI_AUTH="$(cat /etc/valkey/password)" valkey-cli ping | grep -q PONG'
_FIELD: Final = r"(\*|\d+(-\d+)?)(,(\d+(-\d+)?))*"


def findings(documents: Sequence[Document]) -> Iterator[str]:
    """Yield what an optional part expects of others, or others of it."""
    services = {each["metadata"]["name"]: each["spec"] for each in of_kind(documents, "Service")}
    for service in of_kind(documents, "RayService"):
        options = service["spec"]["rayClusterConfig"].get("gcsFaultToleranceOptions")
        if options is not None:
            yield from (f"{name_of(service)}: {text}" for text in _state(options, services))
    for store in of_kind(documents, "StatefulSet"):
        yield from (f"{name_of(store)}: {text}" for text in _valkey(store, services))
    for job in of_kind(documents, "CronJob"):
        yield from (f"{name_of(job)}: {text}" for text in _hours(job, documents))
    for binding in of_kind(documents, "RoleBinding"):
        yield from (f"{name_of(binding)}: {text}" for text in _binding(binding, documents))


def _state(options: Document, services: dict[str, Document]) -> Iterator[str]:
    host, _, port = options["redisAddress"].partition(":")
    ports = {str(each["port"]) for each in services.get(host, {}).get("ports", [])}
    if "://" not in options["redisAddress"] and port not in ports:
        yield f"{options['redisAddress']} is no Service"
    if options["redisPassword"]["valueFrom"]["secretKeyRef"] != _PASSWORD:
        yield "redisPassword is not the key password of the Secret valkey"


def _valkey(store: Document, services: dict[str, Document]) -> Iterator[str]:
    spec, name = store["spec"], store["metadata"]["name"]
    (claim,) = spec["volumeClaimTemplates"]
    (container,) = spec["template"]["spec"]["containers"]
    if spec["serviceName"] != name or services.get(name, {}).get("clusterIP") != "None":
        yield "its headless Service has another name"
    if spec["replicas"] != 1:
        yield "two would each have a state of their own"
    if claim["metadata"]["name"] not in {each["name"] for each in container["volumeMounts"]}:
        yield "its claim is not mounted"
    if claim["spec"]["accessModes"] != ["ReadWriteOnce"]:
        yield "a disk of EBS has the mode ReadWriteOnce alone"
    for probe in ("readinessProbe", "livenessProbe"):
        if container[probe]["exec"]["command"] != ["sh", "-c", _PING]:
            yield f"{probe} does not ask Valkey"


def _hours(job: Document, documents: Sequence[Document]) -> Iterator[str]:
    spec, name = job["spec"], job["metadata"]["name"]
    template = spec["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = template["containers"]
    (target,) = (each["metadata"]["name"] for each in of_kind(documents, "RayService"))
    suspend = {"suspend": "true", "resume": "false"}.get(name)
    patch = f'--patch={{"spec":{{"suspend":{suspend}}}}}'
    if container["args"] != ["patch", f"rayservice/{target}", "--type=merge", patch]:
        yield f"it does not {name} the RayService {target}"
    if len(spec["schedule"].split()) != 5 or not all(
        re.fullmatch(_FIELD, each) for each in spec["schedule"].split()
    ):
        yield f"{spec['schedule']} is no schedule"
    if spec.get("timeZone") not in available_timezones():
        yield f"{spec.get('timeZone')} is no time zone"
    if spec["concurrencyPolicy"] != "Forbid":
        yield "two may run at once"
    if template["restartPolicy"] not in ("Never", "OnFailure"):
        yield "restartPolicy is neither Never nor OnFailure"
    if template.get("automountServiceAccountToken") is not True:
        yield "it has no token, by which it asks the API"


def _binding(binding: Document, documents: Sequence[Document]) -> Iterator[str]:
    """Yield what a binding lacks, and rights beyond the service's own object."""
    reference, namespace = binding["roleRef"], binding["metadata"]["namespace"]
    roles = {each["metadata"]["name"]: each for each in of_kind(documents, "Role")}
    if (reference["apiGroup"], reference["kind"]) != ("rbac.authorization.k8s.io", "Role"):
        yield "roleRef is no Role"
    accounts = {each["metadata"]["name"] for each in of_kind(documents, "ServiceAccount")}
    for subject in binding["subjects"]:
        if subject["kind"] != "ServiceAccount" or subject["name"] not in accounts:
            yield "its subject is no ServiceAccount here"
        if subject.get("namespace") != namespace:
            yield "its subject is in another namespace"
    services = {each["metadata"]["name"] for each in of_kind(documents, "RayService")}
    for rule in roles.get(reference["name"], {"rules": [{}]})["rules"]:
        of_ours = (rule.get("apiGroups"), rule.get("resources")) == (["ray.io"], ["rayservices"])
        if not of_ours or set(rule.get("resourceNames", [""])) - services:
            yield "its role is not for the RayService alone"
        if set(rule.get("verbs", [])) != {"get", "patch"}:
            yield "its role is not to read and to change it"

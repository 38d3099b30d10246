"""A contract server for the API of Kubernetes, for machines without a kube-apiserver: server-side apply with owned fields and conflicts, dry runs,
updates by others, deletion, and the few validations that the suite asks for. It is written from the documents and is no Kubernetes: what passes here
proves what Grid does with such answers, not that a cluster gives them.

Usage: kube_contract.py PORT"""

import copy
import json
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

KINDS = {
    ("", "namespaces"): ("Namespace", False), ("", "nodes"): ("Node", False),
    ("", "services"): ("Service", True), ("", "persistentvolumeclaims"): ("PersistentVolumeClaim", True),
    ("apps", "deployments"): ("Deployment", True), ("apps", "statefulsets"): ("StatefulSet", True),
    ("apps", "daemonsets"): ("DaemonSet", True),
    ("autoscaling", "horizontalpodautoscalers"): ("HorizontalPodAutoscaler", True),
    ("storage.k8s.io", "storageclasses"): ("StorageClass", False),
    ("apiextensions.k8s.io", "customresourcedefinitions"): ("CustomResourceDefinition", False),
}
STORE, LOCK, VERSION = {}, threading.Lock(), [0]


class Failed(Exception):
    def __init__(self, code, reason, message, causes=()):
        self.code = code
        self.body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
                     "message": message, "details": {"causes": list(causes)}}


def keys_of(path):
    """The keys of a list whose items have names of their own; nothing for lists that are one value."""
    names = [p[2:] for p in path if p.startswith("f:")]
    if names[-1:] in (["containers"], ["env"]):
        return ("name",)
    if names[-1:] == ["ports"]:
        return ("containerPort", "protocol") if "containers" in names else ("port", "protocol")
    return ()


def item_key(item, keys):
    return "k:" + json.dumps({k: item.get(k) for k in sorted(keys)}, separators=(",", ":"), sort_keys=True)


def leaves(value, path=()):
    """Every field of an object, by its path."""
    if isinstance(value, dict) and value:
        for name, below in value.items():
            yield from leaves(below, path + ("f:" + name,))
    elif isinstance(value, list) and value and keys_of(path):
        for item in value:
            at = path + (item_key(item, keys_of(path)),)
            yield at + (".",)
            yield from leaves(item, at)
    else:
        yield path


def fields(obj):
    """What of an object can be owned."""
    kept = {k: v for k, v in obj.items() if k not in ("metadata", "apiVersion", "kind", "status")}
    marks = {k: v for k, v in obj.get("metadata", {}).items() if k in ("labels", "annotations") and v}
    return set(leaves({**kept, **({"metadata": marks} if marks else {})}))


def tree(paths):
    root = {}
    for path in sorted(paths):
        at = root
        for step in path:
            at = at.setdefault(step, {})
    return root


def paths(node, at=()):
    if not node:
        yield at
    for step, below in node.items():
        yield from paths(below, at + (step,))


def get(value, path):
    for step in path:
        if step == ".":
            return "."
        if step.startswith("f:"):
            value = value.get(step[2:]) if isinstance(value, dict) else None
        else:
            wanted = json.loads(step[2:])
            found = [v for v in value or [] if all(v.get(k) == w for k, w in wanted.items())]
            value = found[0] if found else None
        if value is None:
            return None
    return value


def cut(value, path):
    """Takes a field away, and the objects above it that hold nothing else."""
    step, rest = path[0], path[1:]
    if step.startswith("f:"):
        if not isinstance(value, dict) or step[2:] not in value:
            return
        below = value[step[2:]]
        if rest:
            cut(below, rest)
        if not rest or below in ({}, []):
            del value[step[2:]]
    elif isinstance(value, list):
        wanted = json.loads(step[2:])
        for item in [v for v in value if all(v.get(k) == w for k, w in wanted.items())]:
            if rest == (".",):
                value.remove(item)
            elif rest[0][2:] not in wanted:
                cut(item, rest)


def merge(live, applied, path=()):
    if isinstance(live, dict) and isinstance(applied, dict):
        for name, value in applied.items():
            live[name] = merge(live.get(name), value, path + ("f:" + name,))
        return live
    if isinstance(live, list) and isinstance(applied, list) and keys_of(path):
        for item in applied:
            same = [v for v in live if item_key(v, keys_of(path)) == item_key(item, keys_of(path))]
            if same:
                merge(same[0], item, path + (item_key(item, keys_of(path)),))
            else:
                live.append(copy.deepcopy(item))
        return live
    return copy.deepcopy(applied)


def merge_patch(live, patch):
    for name, value in patch.items():
        if value is None:
            live.pop(name, None)
        elif isinstance(value, dict):
            live[name] = merge_patch(live.get(name) or {}, value)
        else:
            live[name] = value
    return live


def text(path):
    out = ""
    for step in path:
        if step.startswith("f:"):
            out += "." + step[2:]
        elif step.startswith("k:"):
            out += "[" + ",".join(f"{k}={json.dumps(v)}" for k, v in json.loads(step[2:]).items()) + "]"
    return out


def canonical(quantity):
    quantity = str(quantity)
    if quantity.endswith("Mi") and int(quantity[:-2]) % 1024 == 0:
        return f"{int(quantity[:-2]) // 1024}Gi"
    if quantity.endswith("m") and int(quantity[:-1]) % 1000 == 0:
        return str(int(quantity[:-1]) // 1000)
    if "." in quantity and quantity.replace(".", "").isdigit():
        return f"{int(float(quantity) * 1000)}m"
    return quantity


def milli(quantity):
    quantity = str(quantity)
    return int(quantity[:-1]) if quantity.endswith("m") else int(float(quantity) * 1000)


def settle(kind, obj, old):
    """Defaults and validations."""
    spec = obj.setdefault("spec", {}) if kind not in ("StorageClass", "Namespace") else {}

    def invalid(field, why):
        raise Failed(422, "Invalid", f'{kind} "{obj["metadata"]["name"]}" is invalid: {field}: Invalid value: {why}')

    if kind in ("Deployment", "StatefulSet"):
        spec.setdefault("replicas", 1)
        if "selector" not in spec:
            invalid("spec.selector", "Required value")
        for container in spec.get("template", {}).get("spec", {}).get("containers", []):
            for port in container.get("ports", []):
                port.setdefault("protocol", "TCP")
            resources = container.get("resources", {})
            for of in resources.values():
                for name in of:
                    of[name] = canonical(of[name])
            cpu, most = resources.get("requests", {}).get("cpu"), resources.get("limits", {}).get("cpu")
            if cpu and most and milli(cpu) > milli(most):
                invalid("resources.requests", f'"{cpu}": must be less than or equal to cpu limit of {most}')
            if any("=" in v["name"] for v in container.get("env", [])):
                invalid("env[0].name", "a valid environment variable name")
            if "image" not in container:
                invalid("image", "Required value")
    if kind == "HorizontalPodAutoscaler":
        spec.setdefault("minReplicas", 1)
        spec.setdefault("metrics", [{"type": "Resource", "resource": {
            "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}])
        if spec["maxReplicas"] < spec["minReplicas"]:
            invalid("spec.maxReplicas", "must be greater than or equal to `minReplicas`")
    if kind == "Service":
        spec.setdefault("type", "ClusterIP")
        for port in spec.get("ports", []):
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port["port"])
    if kind == "PersistentVolumeClaim":
        size = spec["resources"]["requests"]
        size["storage"] = canonical(size["storage"])
        bound = (old or {}).get("status", {}).get("phase") == "Bound"
        if old and not bound and old["spec"]["resources"] != spec["resources"]:
            invalid("spec", "spec is immutable after creation except resources.requests for bound claims")
        obj.setdefault("status", {"phase": "Pending"})


def write(key, kind, obj, old, dry):
    settle(kind, obj, old)
    meta = obj["metadata"]
    if old is None:
        meta["uid"], meta["generation"] = str(uuid.uuid4()), 1
        meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
        if kind == "PersistentVolumeClaim":
            meta["finalizers"] = ["kubernetes.io/pvc-protection"]
    strip = lambda o: {k: v for k, v in o.items() if k != "metadata"} | {
        "metadata": {k: v for k, v in o["metadata"].items() if k != "resourceVersion"}}
    if old is None or strip(old) != strip(obj):
        VERSION[0] += 1
        meta["resourceVersion"] = str(VERSION[0])
    if not dry:
        STORE[key] = obj
        if kind == "CustomResourceDefinition":
            names = obj["spec"]["names"]
            KINDS[(obj["spec"]["group"], names["plural"])] = (names["kind"], obj["spec"]["scope"] == "Namespaced")
    return obj


def managed(obj):
    return {(e["manager"], e["operation"]): set(paths(e["fieldsV1"])) for e in obj["metadata"].get("managedFields", [])}


def remember(obj, entries, api_version):
    obj["metadata"]["managedFields"] = [
        {"manager": who, "operation": how, "apiVersion": api_version, "fieldsType": "FieldsV1", "time": "2026-01-01T00:00:00Z",
         "fieldsV1": tree(owned)} for (who, how), owned in entries.items() if owned]


def apply(key, kind, api_version, body, manager, force, dry):
    old = STORE.get(key)
    uid = body["metadata"].pop("uid", None)
    if uid and (old is None or old["metadata"]["uid"] != uid):
        raise Failed(409, "Conflict", "uid mismatch: the provided object specified another uid")
    live = copy.deepcopy(old) if old else {"apiVersion": api_version, "kind": kind, "metadata": {}}
    entries, wanted = managed(live), fields(body)
    causes = []
    for (who, how), owned in entries.items():
        if (who, how) == (manager, "Apply"):
            continue
        for path in sorted(owned & wanted):
            if path[-1] != "." and get(live, path) != get(body, path):
                causes.append({"reason": "FieldManagerConflict", "field": text(path),
                               "message": f'conflict with "{who}" using {api_version}'})
                if force:
                    owned.discard(path)
    if causes and not force:
        raise Failed(409, "Conflict", f"Apply failed with {len(causes)} conflicts", causes)
    gone = entries.get((manager, "Apply"), set()) - wanted
    for path in sorted(gone, key=len):
        if not any(path in owned for who, owned in entries.items() if who != (manager, "Apply")):
            cut(live, path)
    live = merge(live, body)
    entries[(manager, "Apply")] = wanted
    remember(live, entries, api_version)
    return write(key, kind, live, old, dry)


def update(key, kind, api_version, new, manager):
    """A change by somebody who asks nobody: what they change is theirs."""
    old = STORE[key]
    entries, before, after = managed(old), fields(old), fields(new)
    changed = {p for p in after if p not in before or get(old, p) != get(new, p)}
    for owned in entries.values():
        owned -= changed | (before - after)
    entries.setdefault((manager, "Update"), set()).update(changed)
    remember(new, entries, api_version)
    return write(key, kind, new, old, False)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, body):
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle_all(self):
        length = int(self.headers.get("content-length") or 0)
        raw = self.rfile.read(length)
        try:
            with LOCK:
                self.answer(*self.decide(json.loads(raw) if raw else {}))
        except Failed as failed:
            self.answer(failed.code, failed.body)

    do_GET = do_POST = do_PATCH = do_DELETE = handle_all

    def decide(self, body):
        url = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        parts = url.path.strip("/").split("/")
        if parts == ["readyz"]:
            return 200, "ok"
        token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        if token not in ("all-rights", "few-rights"):
            raise Failed(401, "Unauthorized", "Unauthorized")
        group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        plural, name, sub = (rest + ["", ""])[:3]
        if token != "all-rights":
            raise Failed(403, "Forbidden", f'{plural} is forbidden: User "guest" cannot do this')
        if (group, plural) not in KINDS:
            raise Failed(404, "NotFound", "the server could not find the requested resource")
        kind, _ = KINDS[(group, plural)]
        api_version = f"{group}/{version}" if group else version
        dry = query.get("dryRun") == "All" or body.get("dryRun") == ["All"]
        key = (group, plural, namespace, name)
        manager = query.get("fieldManager", "unknown")
        there = lambda: STORE.get(key) or self.none(plural, name)
        if self.command == "GET" and name:
            return 200, there()
        if self.command == "GET":
            wanted = [p.split("=") for p in query.get("labelSelector", "").split(",") if p]
            matches = lambda o: all(o["metadata"].get("labels", {}).get(k) == v for k, v in wanted)
            items = [o for (g, p, ns, _), o in sorted(STORE.items())
                     if (g, p) == (group, plural) and namespace in ("", ns) and matches(o)]
            return 200, {"apiVersion": api_version, "kind": kind + "List", "metadata": {"resourceVersion": str(VERSION[0])},
                         "items": items}
        if namespace and ("", "namespaces", "", namespace) not in STORE:
            raise Failed(404, "NotFound", f'namespaces "{namespace}" not found')
        if self.command == "DELETE":
            old = there()
            uid = (body.get("preconditions") or {}).get("uid")
            if uid and uid != old["metadata"]["uid"]:
                raise Failed(409, "Conflict", "the UID in the precondition does not match")
            if not dry and old["metadata"].get("finalizers"):
                old["metadata"].setdefault("deletionTimestamp", "2026-01-01T00:00:00Z")
            elif not dry:
                del STORE[key]
            return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}
        if self.command == "POST":
            key = (group, plural, namespace, body["metadata"]["name"])
            if key in STORE:
                raise Failed(409, "AlreadyExists", f'{plural} "{key[3]}" already exists')
            body["metadata"]["namespace"] = namespace
            if not namespace:
                del body["metadata"]["namespace"]
            settle(kind, body, None)
            remember(body, {(manager, "Update"): fields(body)}, api_version)
            return 201, write(key, kind, body, None, dry)
        if "apply-patch" in self.headers["content-type"]:
            return 200, apply(key, kind, api_version, body, manager, query.get("force") == "true", dry)
        new = merge_patch(copy.deepcopy(there()), body)
        return 200, update(key, kind, api_version, new, manager) if sub != "status" else write(key, kind, new, there(), False)

    def none(self, plural, name):
        raise Failed(404, "NotFound", f'{plural} "{name}" not found')


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()

"""A contract server of Google Cloud's Compute Engine: NO Compute Engine and no emulator of it. Written from the public reference of its REST API, as
far as Grid asks: instances, regional managed instance groups, regional autoscalers, instance templates, and their operations. Operations take their
time (so many looks), labels and groups have fingerprints, listings have pages of two. Tokens: `all-rights`, `few-rights`; anybody else is unknown.

    python3 gcp_contract.py PORT        what tests ask of it: contract.py
"""

import base64
import copy
import re

from contract import STORE, Contract, Failed, merge_patch, serve

BASE = "/compute/v1/"
# Looks until an operation is done: at itself, or at what it works on.
LOOKS = 3
PAGE = 2
OPERATIONS = {}
COUNT = [1000]


def number():
    COUNT[0] += 1
    return COUNT[0]


def failed(code, reason, message, headers=None):
    body = {"error": {"code": code, "message": message, "errors": [{"message": message, "domain": "global", "reason": reason}]}}
    return Failed(code, body, headers)


def fingerprint():
    return base64.urlsafe_b64encode(number().to_bytes(8, "big")).decode()


def link(key):
    return "https://www.googleapis.com/compute/v1/" + key


def key_of(url):
    return url[url.index("projects/"):] if "projects/" in url else url


def not_found(key):
    return failed(404, "notFound", f"The resource '{key}' was not found")


def autoscaler_of(key):
    return next((k for k, o in STORE.items() if "/autoscalers/" in k and key_of(o.get("target", "")) == key), None)


def shown(key):
    obj = copy.deepcopy(STORE[key])
    if "/instanceGroupManagers/" in key:
        scaler = autoscaler_of(key)
        obj["status"] = {"isStable": True, **({"autoscaler": link(scaler)} if scaler else {})}
    return obj


def advance(operation, looks=1):
    if operation["status"] == "DONE":
        return
    operation["looks"] -= looks
    operation["status"] = "RUNNING"
    if operation["looks"] <= 0:
        operation["status"] = "DONE"
        try:
            operation["effect"]()
        except Failed as why:
            error = why.body["error"]
            operation["error"] = {"errors": [{"code": error["errors"][0]["reason"], "message": error["message"]}]}
            operation["httpErrorStatusCode"], operation["httpErrorMessage"] = why.code, error["message"]


def look_at(key):
    """What is worked on moves on while somebody looks."""
    for operation in list(OPERATIONS.values()):
        if operation["target"] == key:
            advance(operation)
    if key not in STORE:
        raise not_found(key)
    return shown(key)


def operation(scope, kind, key, effect):
    name = f"operation-{number()}"
    at = f"{scope}/operations/{name}"
    OPERATIONS[at] = {"name": name, "looks": LOOKS, "status": "PENDING", "operationType": kind, "target": key, "effect": effect}
    return 200, told(OPERATIONS[at]), {}


def told(of):
    kept = {k: v for k, v in of.items() if k not in ("looks", "effect", "target")}
    return {"kind": "compute#operation", "id": "1", "targetLink": link(of["target"]), **kept}


def is_busy(key):
    return any(o["target"] == key and o["status"] != "DONE" for o in OPERATIONS.values())


def check_labels(labels):
    for name, value in labels.items():
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", name) or not re.fullmatch(r"[a-z0-9_-]{0,63}", value):
            raise failed(400, "invalid", f"Invalid value for field 'labels': '{name}={value}'")


def check_machine(machine):
    name = machine.rsplit("/", 1)[-1]
    if not re.fullmatch(r"(n2|e2|c3)-[a-z0-9-]+", name):
        raise failed(400, "invalid", f"Invalid value for field 'machineType': '{machine}'. The referenced resource was not found")
    return name


def set_status(key, status):
    def effect():
        if key in STORE:
            STORE[key]["status"] = status
    return effect


class Handler(Contract):
    def seeded(self, key, obj):
        obj = {"id": str(number()), "name": key.rsplit("/", 1)[-1], "selfLink": link(key), **obj}
        if "/instances/" in key:
            obj.setdefault("status", "RUNNING")
            obj.setdefault("labels", {})
            obj["zone"] = link(key[:key.index("/instances/")])
            obj["labelFingerprint"] = obj["fingerprint"] = fingerprint()
        if "/instanceGroupManagers/" in key:
            obj["fingerprint"] = fingerprint()
        return obj

    def touched(self, key):
        STORE[key]["labelFingerprint"] = STORE[key]["fingerprint"] = fingerprint()

    def page(self, keys, query):
        start, size = int(query.get("pageToken", "0")), min(PAGE, int(query.get("maxResults", "500")))
        more = {"nextPageToken": str(start + size)} if start + size < len(keys) else {}
        return keys[start:start + size], more

    def decide(self, path, query, body):
        token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        if token not in ("all-rights", "few-rights"):
            raise failed(401, "authError", "Request had invalid authentication credentials.")
        if token == "few-rights":
            raise failed(403, "forbidden", f"Required 'compute.instances.list' permission for '{path}'")
        if not path.startswith(BASE):
            raise failed(404, "notFound", path)
        key = path.removeprefix(BASE)
        if key in OPERATIONS:
            advance(OPERATIONS[key])
            return 200, told(OPERATIONS[key]), {}
        parts = key.split("/")
        scope = "/".join(parts[:3]) if parts[2] == "global" else "/".join(parts[:4])
        if parts[2:] == ["aggregated", "instances"]:
            keys, more = self.page(sorted(k for k in STORE if "/instances/" in k), query)
            items = {}
            for k in keys:
                zone = k.split("/")[3]
                items.setdefault(f"zones/{zone}", {"instances": []})["instances"].append(shown(k))
            return 200, {"kind": "compute#instanceAggregatedList", "items": items, **more}, {}
        collection, rest = parts[len(scope.split("/"))], parts[len(scope.split("/")) + 1:]
        at = getattr(self, collection)
        return at(scope, rest, query, body)

    def listed(self, scope, collection, query):
        keys, more = self.page(sorted(k for k in STORE if k.startswith(f"{scope}/{collection}/")), query)
        return 200, {"items": [shown(k) for k in keys], **more}, {}

    def instances(self, scope, rest, query, body):
        key = f"{scope}/instances/{rest[0]}"
        verb = rest[1] if len(rest) > 1 else ""
        if self.command == "GET":
            return 200, look_at(key), {}
        if key not in STORE:
            raise not_found(key)
        obj = STORE[key]
        if verb == "setLabels":
            check_labels(body.get("labels", {}))
            if body.get("labelFingerprint") != obj["labelFingerprint"]:
                raise failed(412, "conditionNotMet", "Labels fingerprint either invalid or resource labels have changed")
            obj["labels"], obj["labelFingerprint"] = body.get("labels", {}), fingerprint()
            return operation(scope, verb, key, lambda: None)
        if is_busy(key):
            raise failed(400, "resourceNotReady", f"The resource '{key}' is not ready")
        if verb == "stop":
            if obj["status"] == "TERMINATED":
                return operation(scope, verb, key, lambda: None)
            obj["status"] = "STOPPING"
            return operation(scope, verb, key, set_status(key, "TERMINATED"))
        if verb == "start":
            if obj["status"] != "TERMINATED":
                raise failed(400, "invalid", f"The instance is {obj['status']}")
            obj["status"] = "STAGING"
            return operation(scope, verb, key, set_status(key, "RUNNING"))
        if verb == "setMachineType":
            check_machine(body["machineType"])
            if obj["status"] != "TERMINATED":
                raise failed(400, "invalid", "Instance must be TERMINATED to change its machine type")

            def effect():
                if body["machineType"].endswith("-128"):
                    raise failed(403, "QUOTA_EXCEEDED", "Quota 'N2_CPUS' exceeded. Limit: 72.0 in region europe-west3.")
                obj["machineType"] = link(f"{scope}/machineTypes/{check_machine(body['machineType'])}")
            return operation(scope, verb, key, effect)
        if self.command == "DELETE":
            if obj.get("deletionProtection"):
                raise failed(400, "invalid", "Resource cannot be deleted if it's protected against deletion")
            obj["status"] = "STOPPING"
            return operation(scope, "delete", key, lambda: STORE.pop(key, None))
        raise failed(404, "notFound", verb)

    def instanceGroupManagers(self, scope, rest, query, body):
        if not rest:
            return self.listed(scope, "instanceGroupManagers", query)
        key = f"{scope}/instanceGroupManagers/{rest[0]}"
        if self.command == "GET":
            return 200, look_at(key), {}
        if key not in STORE:
            raise not_found(key)
        obj, scaler = STORE[key], autoscaler_of(key)
        if self.command == "POST" and rest[1] == "resize":
            if scaler and STORE[scaler]["autoscalingPolicy"].get("mode", "ON") != "OFF":
                raise failed(400, "invalid", "The group is autoscaled")
            obj["targetSize"], obj["fingerprint"] = int(query["size"]), fingerprint()
            return operation(scope, "resize", key, lambda: None)
        if self.command == "PATCH":
            if "fingerprint" in body and body["fingerprint"] != obj["fingerprint"]:
                raise failed(412, "conditionNotMet", "Invalid fingerprint.")
            for version in body.get("versions", []):
                if key_of(version["instanceTemplate"]) not in STORE:
                    raise failed(400, "invalid", f"The referenced template {version['instanceTemplate']} was not found")
                version["instanceTemplate"] = link(key_of(version["instanceTemplate"]))

            def effect():
                merge_patch(obj, {k: v for k, v in body.items() if k != "fingerprint"})
                obj["instanceTemplate"], obj["fingerprint"] = obj["versions"][0]["instanceTemplate"], fingerprint()
            return operation(scope, "patch", key, effect)
        if self.command == "DELETE":
            if scaler:
                raise failed(400, "resourceInUseByAnotherResource", f"The group is used by {scaler}")
            return operation(scope, "delete", key, lambda: STORE.pop(key, None))
        raise failed(404, "notFound", "/".join(rest))

    def autoscalers(self, scope, rest, query, body):
        if not rest and self.command == "GET":
            return self.listed(scope, "autoscalers", query)
        key = f"{scope}/autoscalers/{rest[0] if rest else query.get('autoscaler')}"
        if self.command == "GET":
            return 200, look_at(key), {}
        if key not in STORE:
            raise not_found(key)
        if self.command == "PATCH":
            new = merge_patch(copy.deepcopy(STORE[key]), body)
            policy = new["autoscalingPolicy"]
            if policy["minNumReplicas"] > policy["maxNumReplicas"]:
                raise failed(400, "invalid", "minNumReplicas must not be above maxNumReplicas")

            def effect():
                STORE[key] = new
            return operation(scope, "patch", key, effect)
        if self.command == "DELETE":
            return operation(scope, "delete", key, lambda: STORE.pop(key, None))
        raise failed(404, "notFound", "/".join(rest))

    def instanceTemplates(self, scope, rest, query, body):
        if self.command == "POST":
            key = f"{scope}/instanceTemplates/{body['name']}"
            check_machine(body["properties"]["machineType"])
            if not re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", body["name"]):
                raise failed(400, "invalid", f"Invalid value for field 'name': '{body['name']}'")
            if key in STORE:
                raise failed(409, "alreadyExists", f"The resource '{key}' already exists")
            STORE[key] = self.seeded(key, body)
            return operation(scope, "insert", key, lambda: None)
        key = f"{scope}/instanceTemplates/{rest[0]}"
        if self.command == "GET":
            return 200, look_at(key), {}
        if key not in STORE:
            raise not_found(key)
        if self.command == "DELETE":
            if any(key_of(o.get("instanceTemplate", "")) == key for o in STORE.values()):
                raise failed(400, "resourceInUseByAnotherResource", f"The template {key} is in use")
            return operation(scope, "delete", key, lambda: STORE.pop(key, None))
        raise failed(404, "notFound", "/".join(rest))


serve(Handler)

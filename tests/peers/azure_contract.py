"""A contract server of Azure's Resource Manager: NO Azure and no emulator of it. Written from the public reference of its REST API, as far as Grid asks:
virtual machines, scale sets, autoscale settings, tags, resources, asynchronous operations, and tokens for applications. Operations take their time (so
many looks) at the address that `Azure-AsyncOperation` names, machines and scale sets have ETags, listings have pages of two. Tokens: `all-rights`,
`few-rights`; anybody else is unknown.

    python3 azure_contract.py PORT        what tests ask of it: contract.py
"""

import copy
import re

from contract import LOG, STORE, Contract, Failed, merge_patch, serve

LOOKS = 3
PAGE = 2
OPERATIONS = {}
COUNT = [0]
SIZES = re.compile(r"Standard_[A-Z][A-Za-z0-9]*(_v\d)?$")
BUSY = {"start": "starting", "deallocate": "deallocating"}
DONE = {"start": "running", "deallocate": "deallocated"}


def count():
    COUNT[0] += 1
    return COUNT[0]


def failed(status, code, message, headers=None):
    return Failed(status, {"error": {"code": code, "message": message}}, headers)


def etag():
    return f'"{count()}"'


def stored(path):
    """Names of resources are the same in any case."""
    return next((k for k in STORE if k.lower() == path.lower()), None)


def find(path):
    key = stored(path)
    if key is None:
        raise failed(404, "ResourceNotFound", f"The Resource '{path}' was not found.")
    return key


def advance(operation):
    if operation["status"] != "InProgress":
        return
    operation["looks"] -= 1
    if operation["looks"] <= 0:
        operation["status"] = "Succeeded"
        try:
            operation["effect"]()
        except Failed as why:
            operation["status"], operation["error"] = "Failed", why.body["error"]
            if operation["target"] in STORE:
                STORE[operation["target"]]["properties"]["provisioningState"] = "Failed"


def look_at(key):
    for operation in list(OPERATIONS.values()):
        if operation["target"] == key:
            advance(operation)
    if key not in STORE:
        raise failed(404, "ResourceNotFound", f"The Resource '{key}' was not found.")


def check_size(size):
    if not SIZES.match(size):
        raise failed(400, "InvalidParameter", f"The value {size} provided for the VM size is not valid.")


def check_quota(size):
    if "D64" in size:
        raise failed(409, "OperationNotAllowed", "Operation could not be completed as it results in exceeding approved cores quota.")
    if "NC" in size:
        raise failed(409, "AllocationFailed", "Allocation failed. We do not have sufficient capacity for the requested VM size.")


class Handler(Contract):
    def seeded(self, key, obj):
        obj = {"id": key, "name": key.rsplit("/", 1)[-1], "location": "westeurope",
               "type": "/".join(key.split("/")[6:8]), "tags": {}, **obj}
        obj.setdefault("properties", {}).setdefault("provisioningState", "Succeeded")
        if "Microsoft.Compute" in key:
            obj["etag"] = etag()
        return obj

    def touched(self, key):
        STORE[key]["etag"] = etag()

    def operation(self, key, effect):
        name = f"op-{count()}"
        OPERATIONS[name] = {"status": "InProgress", "looks": LOOKS, "target": key, "effect": effect}
        at = f"http://{self.headers['host']}/subscriptions/s/providers/Microsoft.Compute/locations/westeurope/operations/{name}"
        return {"azure-asyncoperation": at + "?api-version=2024-07-01", "retry-after": "10"}

    def page(self, keys, path, query, shown):
        start = int(query.get("$skiptoken", "0"))
        body = {"value": [shown(k) for k in keys[start:start + PAGE]]}
        if start + PAGE < len(keys):
            body["nextLink"] = f"http://{self.headers['host']}{path}?api-version={query['api-version']}&$skiptoken={start + PAGE}"
        return 200, body, {}

    def decide(self, path, query, body):
        if path.endswith("/oauth2/v2.0/token"):
            LOG.pop()
            form = dict(pair.split("=", 1) for pair in body.decode().split("&"))
            if form.get("client_secret") != "right" or form.get("grant_type") != "client_credentials":
                raise Failed(401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."})
            return 200, {"token_type": "Bearer", "expires_in": 3599, "access_token": "all-rights"}, {}
        token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        if token not in ("all-rights", "few-rights"):
            raise failed(401, "InvalidAuthenticationToken", "The access token is invalid.")
        if token == "few-rights":
            raise failed(403, "AuthorizationFailed", f"The client 'guest' does not have authorization over scope '{path}'.")
        if "api-version" not in query:
            raise failed(400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required.")
        if "/operations/" in path:
            one = OPERATIONS[path.rsplit("/", 1)[1]]
            advance(one)
            return 200, {"status": one["status"], **({"error": one["error"]} if "error" in one else {})}, {"retry-after": "10"}
        if path.endswith("/providers/Microsoft.Resources/tags/default"):
            return self.tags(path.removesuffix("/providers/Microsoft.Resources/tags/default"), body)
        listing = re.fullmatch(r"(/subscriptions/[^/]+(?:/resourceGroups/[^/]+)?)(?:/resources|/providers/([^/]+/[^/]+))", path, re.I)
        if listing:
            scope, of = listing[1].lower() + "/", (listing[2] or "").lower()
            keys = sorted(k for k in STORE if k.lower().startswith(scope) and f"/providers/{of + '/' if of else ''}" in k.lower())
            return self.page(keys, path, query, lambda k: self.shown(k, of != ""))
        verb = re.fullmatch(r"(.*)/(start|deallocate)", path)
        if self.command == "POST" and verb:
            return self.power(find(verb[1]), verb[2])
        if self.command == "PUT":
            return self.put(path, body)
        key = find(path)
        if self.command == "GET":
            look_at(key)
            return 200, self.shown(key, True, query.get("$expand") == "instanceView"), {}
        if self.command == "DELETE":
            return self.delete(key)
        return self.patch(key, body)

    def shown(self, key, whole, view=False):
        obj = copy.deepcopy(STORE[key])
        power = obj.pop("power", None)
        if not whole:
            return {k: obj[k] for k in ("id", "name", "type", "location", "tags")}
        if power and view:
            obj["properties"]["instanceView"] = {"statuses": [
                {"code": "ProvisioningState/succeeded"}, {"code": f"PowerState/{power}"}]}
        return obj

    def free(self, key):
        if any(o["target"] == key and o["status"] == "InProgress" for o in OPERATIONS.values()):
            raise failed(409, "Conflict", "Another operation on this resource is in progress.")

    def power(self, key, verb):
        self.free(key)
        obj = STORE[key]
        if obj["power"] == DONE[verb]:
            return 200, None, {}
        obj["power"], obj["etag"] = BUSY[verb], etag()

        def effect():
            obj["power"] = DONE[verb]
        return 202, None, self.operation(key, effect)

    def patch(self, key, body):
        given = self.headers.get("if-match")
        obj = STORE[key]
        if given and given != obj["etag"]:
            raise failed(412, "PreconditionFailed", "The condition specified using HTTP conditional header(s) is not met.")
        self.free(key)
        size = body.get("sku", {}).get("name") or body.get("properties", {}).get("hardwareProfile", {}).get("vmSize")
        if size:
            check_size(size)
        before = copy.deepcopy(obj)
        merge_patch(obj, copy.deepcopy(body))
        obj["etag"], obj["properties"]["provisioningState"] = etag(), "Updating"

        def effect():
            try:
                check_quota(size or "")
            except Failed:
                obj.update(before)
                raise
            obj["properties"]["provisioningState"] = "Succeeded"
        return 202, self.shown(key, True), self.operation(key, effect)

    def put(self, path, body):
        key = find(path)
        for profile in body["properties"]["profiles"]:
            low, high, default = (int(profile["capacity"][k]) for k in ("minimum", "maximum", "default"))
            if not low <= default <= high:
                raise failed(400, "InvalidCapacity", "The default capacity must lie within minimum and maximum.")
        STORE[key] = body
        return 200, self.shown(key, True), {}

    def delete(self, key):
        if "Microsoft.Insights" in key:
            del STORE[key]
            return 200, None, {}
        self.free(key)
        STORE[key]["properties"]["provisioningState"] = "Deleting"
        return 202, None, self.operation(key, lambda: STORE.pop(key, None))

    def tags(self, path, body):
        obj = STORE[find(path)]
        for name, value in body["properties"]["tags"].items():
            if re.search(r"[<>%&\\?/]", name) or len(value) > 256:
                raise failed(400, "InvalidTagName", f"The tag {name} is not valid.")
            if body["operation"] == "Merge":
                obj["tags"][name] = value
            elif body["operation"] == "Delete":
                obj["tags"].pop(name, None)
        if len(obj["tags"]) > 50:
            raise failed(400, "TagsLimitExceeded", "There are more than 50 tags.")
        return 200, {"properties": {"tags": obj["tags"]}}, {}


serve(Handler)

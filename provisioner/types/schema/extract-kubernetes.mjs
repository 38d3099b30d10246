// Takes out of what the projects themselves publish the schema of every object that the recipes for Kubernetes name, and prints it as JSON, one kind a
// line. Kinds of Kubernetes are in the OpenAPI document within its Go module, most others in the definitions within theirs; three come out of typed
// bindings that were made of such definitions: for npm, and for Rust.
//
//     go mod download k8s.io/kubernetes@v1.37.2 ...            (the modules of MODULES)
//     npm install yaml typescript @kubevirt-ui-ext/kubevirt-api@1.7.0 @kubernetes-models/cloudnative-pg@2.0.0
//     cargo info kube-custom-resources-rs@2024.11.1            (its archive, unpacked)
//     node schema/extract-kubernetes.mjs MODULE_CACHE NODE_FOLDER CRATE_FOLDER > schema/kubernetes.json
//
// Of each schema only those names are kept that a recipe says somewhere, and those that must be there: what is not in the extract is unknown.
// A schema is a letter (s text, i integer, n number, b bool, q text or number, a anything), { e: [texts] }, [ schema of the items ], { m: schema of the
// values }, or { p: { name: schema }, r: [names that must be there] }. A kind has its scope and where it is from beside.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const [cache, npm, crate] = process.argv.slice(2);
const need = createRequire(join(npm, "package.json"));
const YAML = need("yaml"), ts = need("typescript");

const KUBERNETES = "k8s.io/kubernetes@v1.37.2";
const MODULES = {
  "cert-manager.io": ["github.com/cert-manager/cert-manager@v1.21.2", "deploy/crds"],
  "cluster.x-k8s.io": ["sigs.k8s.io/cluster-api@v1.14.2", "core/config/crd/bases"],
  "external-secrets.io": ["github.com/external-secrets/external-secrets@v1.3.2", "config/crds/bases"],
  "externaldns.k8s.io": ["sigs.k8s.io/external-dns@v0.23.0", "config/crd/standard"],
  "gateway.networking.k8s.io": ["sigs.k8s.io/gateway-api@v1.7.0", "config/crd/standard"],
  "generators.external-secrets.io": ["github.com/external-secrets/external-secrets@v1.3.2", "config/crds/bases"],
  "karpenter.sh": ["sigs.k8s.io/karpenter@v1.15.0", "pkg/apis/crds"],
  "mongodbcommunity.mongodb.com": ["github.com/mongodb/mongodb-kubernetes-operator@v0.9.0", "config/crd/bases"],
  "serving.knative.dev": ["knative.dev/serving@v0.51.0", "config/core/300-resources"],
  "velero.io": ["github.com/vmware-tanzu/velero@v1.18.3", "config/crd/v1/bases"],
};
const TYPED = {
  "kubevirt.io/v1 VirtualMachine": ["@kubevirt-ui-ext/kubevirt-api", "dist/kubevirt/index.d.ts", "V1VirtualMachine"],
  "pool.kubevirt.io/v1beta1 VirtualMachinePool": ["@kubevirt-ui-ext/kubevirt-api", "dist/kubevirt/index.d.ts", "V1beta1VirtualMachinePool"],
  "postgresql.cnpg.io/v1 Cluster": ["@kubernetes-models/cloudnative-pg", "postgresql.cnpg.io/v1/", "ICluster"],
};

const recipes = join(dirname(fileURLToPath(import.meta.url)), "..", "recipes", "kubernetes");
const text = readdirSync(recipes).map((f) => readFileSync(join(recipes, f), "utf8")).join("\n");
const words = new Set(text.match(/[A-Za-z_-]+/g));
const wanted = new Set([...text.matchAll(/^(?:cluster_)?manifest "([^"]+)" "([^"]+)"/gm)].map(([, version, kind]) => `${version} ${kind}`));

/** A map of names, with those alone that matter. */
function object(names, required) {
  const p = {};
  for (const [name, schema] of Object.entries(names)) if (words.has(name) || required.includes(name)) p[name] = schema();
  return { p, ...(required.length ? { r: required } : {}) };
}

/** What OpenAPI says, in the document `root`. */
function openapi(schema, root, within = []) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    if (/\.(Quantity|Time|MicroTime)$/.test(name)) return "s";
    if (name.endsWith(".IntOrString")) return "q";
    if (name.endsWith(".ObjectMeta")) return META;
    return within.includes(name) ? "a" : openapi(root.definitions[name], root, [...within, name]);
  }
  if (schema["x-kubernetes-int-or-string"]) return "q";
  if (schema.enum?.every((v) => typeof v === "string")) return { e: schema.enum };
  const inner = (s) => openapi(s, root, within);
  if (schema.properties && Object.keys(schema.properties).length) {
    const names = Object.entries(schema.properties).map(([name, s]) => [name, () => inner(s)]);
    return object(Object.fromEntries(names), schema.required ?? []);
  }
  if (schema.type === "array") return [inner(schema.items)];
  if (typeof schema.additionalProperties === "object") return { m: inner(schema.additionalProperties) };
  return { string: "s", integer: "i", number: "n", boolean: "b" }[schema.type] ?? "a";
}

/** Metadata are the same for all; no definition lists them. */
const META = { p: { name: "s", namespace: "s", labels: { m: "s" }, annotations: { m: "s" } } };

/** What an interface of TypeScript says, in a file or in one of a folder. */
function typescript(path, name) {
  const files = path.endsWith("/") ? readdirSync(path).filter((f) => f.endsWith(".d.ts")).map((f) => join(path, f)) : [path];
  const all = new Map(), aliases = [];
  const note = (node) => {
    if (ts.isExportSpecifier(node)) aliases.push([node.name.text, node.propertyName?.text ?? node.name.text]);
    if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) || ts.isEnumDeclaration(node)) all.set(node.name.text, node);
    ts.forEachChild(node, note);
  };
  files.forEach((file) => note(ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest)));
  for (const [alias, of] of aliases) if (all.has(of)) all.set(alias, all.get(of));
  const text = (node) => node.text ?? node.right.text;
  const members = (list, within) => {
    const fields = list.filter((m) => ts.isPropertySignature(m) && m.type);
    const required = fields.filter((m) => !m.questionToken).map((m) => text(m.name));
    const index = list.find(ts.isIndexSignatureDeclaration);
    if (index && !fields.length) return { m: of(index.type, within) };
    return fields.length ? object(Object.fromEntries(fields.map((m) => [text(m.name), () => of(m.type, within)])), required) : "a";
  };
  const of = (type, within) => {
    if (ts.isParenthesizedTypeNode(type)) return of(type.type, within);
    if (ts.isArrayTypeNode(type)) return [of(type.elementType, within)];
    if (ts.isTypeLiteralNode(type)) return members(type.members, within);
    if (ts.isUnionTypeNode(type)) {
      const kinds = type.types.filter((t) => t.kind !== ts.SyntaxKind.UndefinedKeyword && !(ts.isLiteralTypeNode(t) && t.literal.kind === ts.SyntaxKind.NullKeyword));
      if (kinds.every((t) => ts.isLiteralTypeNode(t) && ts.isStringLiteral(t.literal))) return { e: kinds.map((t) => t.literal.text) };
      return kinds.length === 1 ? of(kinds[0], within) : "q";
    }
    if (ts.isTypeReferenceNode(type)) {
      const name = text(type.typeName);
      if (name === "Array") return [of(type.typeArguments[0], within)];
      if (name === "Record") return { m: of(type.typeArguments[1], within) };
      if (/ObjectMeta$/.test(name)) return META;
      // Kinds of Kubernetes' own are better known elsewhere.
      const own = name.match(/^(?:K8sIoApiCoreV1|IIoK8sApiCoreV1)(\w+)$/)?.[1];
      if (own && swagger.definitions[`io.k8s.api.core.v1.${own}`]) return openapi(swagger.definitions[`io.k8s.api.core.v1.${own}`], swagger);
      const found = all.get(name);
      if (!found || within.includes(name)) return "a";
      if (ts.isEnumDeclaration(found)) return { e: found.members.map((m) => m.initializer?.text ?? text(m.name)) };
      return ts.isTypeAliasDeclaration(found) ? of(found.type, [...within, name]) : members(found.members, [...within, name]);
    }
    // An object of which nothing more is said has no fields.
    if (type.kind === ts.SyntaxKind.ObjectKeyword) return { p: {} };
    return { [ts.SyntaxKind.StringKeyword]: "s", [ts.SyntaxKind.NumberKeyword]: "n", [ts.SyntaxKind.BooleanKeyword]: "b" }[type.kind] ?? "a";
  };
  return members(all.get(name).members, [name]);
}

/** What structs of Rust say that serde reads. */
function rust(file, kind) {
  const source = readFileSync(file, "utf8");
  const struct = (name) => {
    const body = source.match(new RegExp(`pub struct ${name} \\{\\n([\\s\\S]*?)\\n\\}`))?.[1];
    const choice = source.match(new RegExp(`pub enum ${name} \\{\\n([\\s\\S]*?)\\n\\}`))?.[1];
    if (choice !== undefined) {
      const names = [];
      for (const [, renamed, variant] of choice.matchAll(/(?:#\[serde\(rename = "([^"]+)"\)\]\s*)?^ {4}(\w+),$/gm)) names.push(renamed ?? variant);
      return { e: names };
    }
    if (body === undefined) return "a";
    const fields = {}, required = [];
    for (const [, attribute, field, type] of body.matchAll(/(?:^ {4}#\[serde\((.*)\)\]\n)?^ {4}pub (?:r#)?(\w+): (.*),$/gm)) {
      const name = attribute?.match(/rename = "([^"]+)"/)?.[1] ?? field;
      if (!type.startsWith("Option<")) required.push(name);
      fields[name] = () => of(type);
    }
    return object(fields, required);
  };
  const of = (type) => {
    const inner = type.match(/^(Option|Vec|BTreeMap)<(?:String, )?(.*)>$/);
    if (inner) return inner[1] === "Option" ? of(inner[2]) : inner[1] === "Vec" ? [of(inner[2])] : { m: of(inner[2]) };
    const plain = { String: "s", bool: "b", i64: "i", i32: "i", f64: "n", IntOrString: "q", "serde_json::Value": "a" };
    return plain[type] ?? struct(type);
  };
  const scope = source.includes("#[kube(namespaced)]") ? "Namespaced" : "Cluster";
  return { scope, schema: { p: { metadata: META, spec: struct(`${kind}Spec`) }, r: ["spec"] } };
}

/** The definition of a kind within a folder of them. */
function definition(folder, group, version, kind) {
  for (const file of readdirSync(folder).filter((f) => f.endsWith(".yaml"))) {
    for (const document of YAML.parseAllDocuments(readFileSync(join(folder, file), "utf8"))) {
      const spec = document.toJS()?.spec;
      if (spec?.group !== group || spec.names?.kind !== kind) continue;
      const found = spec.versions.find((v) => v.name === version && v.served);
      if (!found) throw new Error(`${group} ${kind} has no version ${version}: ${spec.versions.map((v) => v.name)}`);
      const schema = found.schema.openAPIV3Schema;
      delete schema.properties.metadata;
      return { scope: spec.scope, schema: openapi(schema, {}) };
    }
  }
}

const swagger = JSON.parse(readFileSync(join(cache, KUBERNETES, "api/openapi-spec/swagger.json"), "utf8"));
const clustered = new Set(["Namespace", "ClusterRole", "ClusterRoleBinding", "StorageClass"]);

function find(key) {
  const [apiVersion, kind] = key.split(" ");
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  for (const definition of Object.values(swagger.definitions)) {
    const is = definition["x-kubernetes-group-version-kind"]?.some((k) => k.group === group && k.version === version && k.kind === kind);
    if (is && definition.properties?.metadata) {
      return { from: KUBERNETES, scope: clustered.has(kind) ? "Cluster" : "Namespaced", schema: openapi(definition, swagger) };
    }
  }
  if (MODULES[group]) {
    const [module, folder] = MODULES[group];
    const found = definition(join(cache, module, folder), group, version, kind);
    return found && { from: module, ...found };
  }
  if (TYPED[key]) {
    const [name, file, face] = TYPED[key];
    const folder = join(npm, "node_modules", name);
    const { version: of } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    return { from: `${name} ${of}`, scope: "Namespaced", schema: typescript(join(folder, file), face) };
  }
  const file = join(crate, "src", group.replaceAll(/[.-]/g, "_"), version, `${kind.toLowerCase()}s.rs`);
  return existsSync(file) ? { from: "kube-custom-resources-rs 2024.11.1", ...rust(file, kind) } : undefined;
}

const out = [], unknown = [];
for (const key of [...wanted].sort()) {
  const found = find(key);
  if (!found) {
    unknown.push(key);
    continue;
  }
  const schema = { ...found.schema, p: { ...found.schema.p, metadata: META } };
  for (const name of ["apiVersion", "kind", "status"]) delete schema.p[name];
  schema.r = (schema.r ?? []).filter((name) => !["apiVersion", "kind", "metadata", "status"].includes(name));
  if (!schema.r.length) delete schema.r;
  out.push(`${JSON.stringify(key)}: ${JSON.stringify({ from: found.from, scope: found.scope, schema })}`);
}
if (unknown.length) console.error(`nowhere: ${unknown.join(", ")}`);
console.log("{");
console.log(out.join(",\n"));
console.log("}");

// Takes out of a provider's typed bindings (npm: @cdktf/provider-NAME) the schema of the resources and data sources that the
// recipes name, and prints it as JSON, one block a line:
//
//     npm pack @cdktf/provider-aws@21.22.1 && tar xzf cdktf-provider-aws-21.22.1.tgz -C FOLDER
//     node schema/extract.mjs FOLDER/package aws > schema/aws.json
//
// Those of AWS say `any` of the statements of a web ACL, which nest without end. What they are is read out of other typed bindings of the same
// provider (npm: @pulumi/aws), down to the first statement within a statement; their folder is then a third argument:
//
//     npm pack @pulumi/aws@7.48.0 && tar xzf pulumi-aws-7.48.0.tgz -C DEEP
//     node schema/extract.mjs FOLDER/package aws DEEP/package > schema/aws.json
//
// An attribute is "r" (required), "o" (optional) or "c" (only computed), then its type: s text, n number, b bool, l list, m map,
// a anything. A block has `n` (1: at most once), `r` (required), `e` (may also be written as an attribute), and `a`, `b` within.
import { readFileSync, readdirSync, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const [folder, provider, deep] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const recipes = join(here, "..", "recipes", provider);
const text = readdirSync(recipes).map((f) => readFileSync(join(recipes, f), "utf8")).join("\n");
const wanted = new Set();
for (const [, kind, name] of text.matchAll(/^(resource|data) "(\w+)"/gm)) {
  wanted.add(`${kind === "data" ? "data." : ""}${name}`);
}

/** The attributes and blocks that one `...ToHclTerraform` function or `synthesizeHclAttributes` lists. */
function entries(source, indent) {
  const found = [];
  const pattern = new RegExp(
    `^ {${indent}}(\\w+): \\{\\n +value: (.*),\\n +isBlock: (true|false),\\n +type: "(\\w+)",\\n +storageClassType: "(\\w+)",`, "gm");
  for (const [, name, value, isBlock, , storage] of source.matchAll(pattern)) {
    const member = value.match(/(?:this\._|struct\.|struct!\.)(\w+)/)?.[1] ?? name;
    const mapper = value.match(/(\w+)ToHclTerraform/)?.[1];
    found.push({ name, member, isBlock: isBlock === "true", storage, mapper, elements: /, false\)\(/.test(value) });
  }
  return found;
}

/** Which members of an interface there are: `?` or not, and their types. */
function members(types, name) {
  const body = types.match(new RegExp(`export interface ${name}(?: extends [\\w.]+)? \\{([\\s\\S]*?)\\n\\}`))?.[1] ?? "";
  const found = new Map();
  for (const [, member, optional, type] of body.matchAll(/^ {4}readonly (\w+)(\??): ([^;{]+)/gm)) {
    found.set(member, { required: optional === "", many: type.includes("[]") });
  }
  return found;
}

const LETTER = { string: "s", number: "n", boolean: "b", any: "a" };
const letter = (storage) =>
  LETTER[storage] ?? (/Map$/.test(storage) ? "m" : /List$/.test(storage) ? "l" : "a");

function block(source, types, listed, face) {
  const a = {}, b = {};
  for (const e of listed) {
    const member = face.get(e.member) ?? { required: false, many: true };
    if (!e.isBlock || !e.mapper || !source.includes(`function ${e.mapper}ToHclTerraform(`)) {
      a[e.name] = (member.required ? "r" : "o") + letter(e.storage);
      continue;
    }
    const start = source.indexOf(`function ${e.mapper}ToHclTerraform(`);
    const body = source.slice(start, source.indexOf("\n}\n", start));
    const interfaceName = e.mapper[0].toUpperCase() + e.mapper.slice(1);
    const inner = block(source, types, entries(body, 8), members(types, interfaceName));
    b[e.name] = { ...(member.many ? {} : { n: 1 }), ...(member.required ? { r: 1 } : {}), ...(e.elements ? { e: 1 } : {}), ...inner };
  }
  return { ...(Object.keys(a).length ? { a } : {}), ...(Object.keys(b).length ? { b } : {}) };
}

/** Blocks that the bindings call `any`, and the interface that says what they are. */
const DEEP = { "aws_wafv2_web_acl rule statement": ["wafv2", "WebAclRuleStatement"] };

/** What an interface of @pulumi/aws has, in Terraform's names: lists of blocks are singular there. */
function deepBlock(namespace, face, within = []) {
  const body = namespace.match(new RegExp(`^ {4}interface ${face} \\{\\n([\\s\\S]*?)\\n {4}\\}`, "m"))?.[1];
  if (body === undefined) throw new Error(`no interface ${face}`);
  const a = {}, b = {};
  for (const [, member, optional, type] of body.matchAll(/^ {8}(\w+)(\??): ([^;]+);/gm)) {
    const name = member.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const inner = type.match(/inputs\.\w+\.(\w+)/)?.[1];
    const required = optional === "", many = type.includes("[]");
    if (!inner) {
      const kind = ["string", "number", "boolean"].find((t) => type.includes(t)) ?? "any";
      a[name] = (required ? "r" : "o") + (many ? "l" : LETTER[kind]);
    } else if (inner === face || within.includes(inner)) {
      a[name] = (required ? "r" : "o") + "a";
    } else {
      b[many ? name.replace(/s$/, "") : name] = { ...(many ? {} : { n: 1 }), ...(required ? { r: 1 } : {}), ...deepBlock(namespace, inner, [...within, face]) };
    }
  }
  return { ...(Object.keys(a).length ? { a } : {}), ...(Object.keys(b).length ? { b } : {}) };
}

/** Puts in what other bindings know. */
function deepen(key, made) {
  for (const [path, [space, face]] of Object.entries(DEEP)) {
    const [resource, ...blocks] = path.split(" ");
    if (!deep || resource !== key) continue;
    const types = readFileSync(join(deep, "types", "input.d.ts"), "utf8");
    const start = types.indexOf(`export declare namespace ${space} {`);
    const last = blocks.pop();
    const parent = blocks.reduce((block, name) => block.b[name], made);
    const required = parent.a[last].startsWith("r");
    delete parent.a[last];
    parent.b[last] = { n: 1, ...(required ? { r: 1 } : {}), ...deepBlock(types.slice(start, types.indexOf("\n}\n", start)), face) };
  }
}

const camel = (name) => name.split("_").map((w) => (w ? w[0].toUpperCase() + w.slice(1) : "")).join("");
const out = [];
const unknown = [];
for (const key of [...wanted].sort()) {
  const data = key.startsWith("data.");
  const name = key.replace("data.", "").replace(`${provider}_`, "");
  const path = join(folder, "lib", `${data ? `data-${provider}-` : ""}${name.replaceAll("_", "-")}`);
  if (!existsSync(join(path, "index.js"))) { unknown.push(key); continue; }
  // Large resources keep their blocks in files of their own.
  const parts = existsSync(join(path, "index-structs")) ? readdirSync(join(path, "index-structs")).sort() : [];
  const all = (end) => ["index" + end, ...parts.filter((f) => f.startsWith("structs") && f.endsWith(end)).map((f) => `index-structs/${f}`)]
    .map((f) => readFileSync(join(path, f), "utf8")).join("\n");
  const source = all(".js"), types = all(".d.ts");
  const start = source.indexOf("    synthesizeHclAttributes() {");
  const root = source.slice(start);
  const config = types.match(/export interface (\w+Config) extends cdktf.TerraformMetaArguments/)?.[1];
  const made = block(source, types, entries(root, 12), members(types, config));
  // What the class can read beside its arguments is only computed.
  const main = readFileSync(join(path, "index.js"), "utf8");
  const klass = main.slice(main.lastIndexOf("extends cdktf.Terraform", main.indexOf("    synthesizeHclAttributes() {")));
  made.a ??= {};
  for (const [, getter, attribute] of klass.matchAll(/this\.get(\w+)Attribute\('(\w+)'\)/g)) {
    made.a[attribute] ??= "c" + ({ String: "s", Number: "n", Boolean: "b", List: "l" }[getter] ?? (/Map/.test(getter) ? "m" : "a"));
  }
  for (const [, attribute] of klass.matchAll(/= new \w+\(this, ["'](\w+)["']/g)) {
    if (!made.b?.[attribute]) made.a[attribute] ??= "ca";
  }
  deepen(key, made);
  out.push(`${JSON.stringify(key)}: ${JSON.stringify(made)}`);
}
if (unknown.length) { console.error(`not in ${provider}: ${unknown.join(", ")}`); process.exitCode = 1; }
const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
const index = readFileSync(join(folder, "lib", "provider", "index.js"), "utf8");
const of = index.match(/providerVersion: '([^']+)'/)[1];
const beside = deep ? `, @pulumi/aws ${JSON.parse(readFileSync(join(deep, "package.json"), "utf8")).version}` : "";
console.log(`{"package": "@cdktf/provider-${provider} ${version}${beside}", "provider": "${provider}", "version": "${of}", "types": {`);
console.log(out.join(",\n"));
console.log("}}");

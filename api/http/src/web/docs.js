'use strict';
// Renders /api/v1/openapi.json. No library: the document is ours and small.

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

let doc;

const deref = (s) => (s && s.$ref ? s.$ref.split('/').slice(1).reduce((at, key) => at[key], doc) : s);
const nameOf = (s) => (s.$ref ? s.$ref.split('/').pop() : null);

/** A schema in one line. */
function typeText(schema) {
  if (!schema) return 'anything';
  const name = nameOf(schema);
  if (name) return name;
  if (schema.enum) return schema.enum.map((v) => JSON.stringify(v)).join(' | ');
  const options = schema.oneOf || schema.anyOf;
  if (options) return options.map(typeText).join(' | ');
  const type = [].concat(schema.type || 'anything').join(' | ');
  if (schema.type === 'array' || (Array.isArray(schema.type) && schema.type.includes('array'))) return `${typeText(schema.items)}[]`;
  return schema.format ? `${type} (${schema.format})` : type;
}

/** A schema's fields, nested ones opened on demand. */
function fields(schema, depth) {
  const full = deref(schema);
  if (!full) return el('p', {}, 'anything');
  const parts = full.allOf ? full.allOf.map(deref) : [full];
  const list = el('dl');
  for (const part of parts) {
    for (const [name, field] of Object.entries(part.properties || {})) {
      const must = (part.required || []).includes(name);
      const what = el('dd', {}, el('code', {}, typeText(field)), must ? ' required. ' : '. ', field.description || deref(field)?.description || '');
      const inner = deref(field?.items || field);
      if (depth < 3 && inner && inner.properties) what.append(el('details', {}, el('summary', {}, 'Fields'), fields(field.items || field, depth + 1)));
      list.append(el('dt', {}, name), what);
    }
  }
  return list.childNodes.length ? list : el('p', {}, el('code', {}, typeText(full)), ' ', full.description || '');
}

function contents(content, title) {
  return Object.entries(content || {}).map(([type, media]) => {
    const box = el('div', {}, el('p', {}, title, ' ', el('code', {}, type)));
    if (media.schema && /json$/.test(type)) box.append(fields(media.schema, 0));
    const example = media.example ?? media.schema?.example;
    if (example !== undefined) box.append(el('pre', { tabindex: '0' }, el('code', {}, typeof example === 'string' ? example : JSON.stringify(example, null, 2))));
    return box;
  });
}

function operation(method, path, op) {
  const box = el('details', { id: op.operationId || `${method}${path}` },
    el('summary', {}, el('span', { class: 'method' }, method.toUpperCase()), el('span', { class: 'path' }, path), ' ', el('span', {}, op.summary || '')));
  if (op.description) box.append(el('p', {}, op.description));
  if (op.parameters?.length) {
    box.append(el('h3', {}, 'Parameters'));
    const list = el('dl');
    for (const p of op.parameters.map(deref)) {
      list.append(el('dt', {}, p.name), el('dd', {}, el('code', {}, typeText(p.schema)), ` in ${p.in}${p.required ? ', required' : ''}. `, p.description || ''));
    }
    box.append(list);
  }
  if (op.requestBody) box.append(el('h3', {}, 'Body'), ...contents(deref(op.requestBody).content, 'As'));
  box.append(el('h3', {}, 'Answers'));
  for (const [status, answer] of Object.entries(op.responses || {})) {
    const a = deref(answer);
    box.append(el('p', {}, el('strong', {}, status), ' ', a.description || ''), ...contents(a.content, 'as'));
  }
  return box;
}

async function main() {
  const box = document.getElementById('paths');
  try {
    doc = await (await fetch('/api/v1/openapi.json')).json();
  } catch (error) {
    box.replaceChildren(el('p', { class: 'card bad' }, `The document could not be loaded: ${error.message}`));
    return;
  }
  document.getElementById('about').append(` Grid ${doc.info.version}, OpenAPI ${doc.openapi}. ${doc.info.description || ''}`);
  const groups = new Map((doc.tags || []).map((t) => [t.name, { about: t.description, items: [] }]));
  for (const [path, item] of Object.entries(doc.paths)) {
    for (const method of ['get', 'post', 'put', 'patch', 'delete']) {
      const op = item[method];
      if (!op) continue;
      const tag = (op.tags || ['other'])[0];
      if (!groups.has(tag)) groups.set(tag, { items: [] });
      groups.get(tag).items.push(operation(method, path, op));
    }
  }
  box.replaceChildren();
  for (const [tag, group] of groups) {
    if (!group.items.length) continue;
    box.append(el('h3', {}, tag), ...(group.about ? [el('p', { class: 'muted' }, group.about)] : []), ...group.items);
  }
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

main();

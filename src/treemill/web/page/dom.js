// Small words for making elements. Text always goes in as text: what files hold can never become markup.

export const byId = (id) => document.getElementById(id);

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

export function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export async function fetched(path, parameters = {}, options = {}) {
  const given = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== ""));
  const answer = await fetch(`${path}?${given}`, options);
  const values = await answer.json();
  if (!answer.ok) throw new Error(values.error || `the server answered ${answer.status}`);
  return values;
}

export const counted = (number) => number.toLocaleString("en-US");

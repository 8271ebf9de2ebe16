"use strict";
// Search and filters of the first page. All that is shown is set as text, never as markup.
(function () {
  const SHOWN = 100;
  const FILTERS = ["level", "status", "tactic", "service", "author", "pack", "source"];
  const LEVELS = ["critical", "high", "medium", "low", "informational"];
  const rules = self.catalogRules || [];
  const box = document.getElementById("q");
  const form = document.getElementById("filters");
  const list = document.getElementById("results");
  const count = document.getElementById("count");
  const more = document.getElementById("more");
  let found = rules;
  let shown = 0;

  for (const rule of rules) {
    rule.haystack = [rule.title, rule.id, rule.words, rule.author.join(" "), rule.service.join(" "), rule.pack, rule.tactic.join(" ")]
      .join(" ")
      .toLowerCase();
  }

  function values(rule, name) {
    return Array.isArray(rule[name]) ? rule[name] : rule[name] ? [rule[name]] : [];
  }

  function ordered(name, counts) {
    const names = Array.from(counts.keys());
    if (name === "level") return names.sort((a, b) => LEVELS.indexOf(a) - LEVELS.indexOf(b));
    return names.sort((a, b) => a.localeCompare(b, "en"));
  }

  function fillSelects() {
    for (const name of FILTERS) {
      const counts = new Map();
      for (const rule of rules) for (const value of values(rule, name)) counts.set(value, (counts.get(value) || 0) + 1);
      const select = document.getElementById("f-" + name);
      for (const value of ordered(name, counts)) {
        const option = document.createElement("option");
        option.value = value;
        option.textContent = value + " (" + counts.get(value) + ")";
        select.append(option);
      }
      if (name === "source") select.parentElement.hidden = counts.size < 2; // with one source there is nothing to choose
    }
  }

  function wanted() {
    const filters = [];
    for (const name of FILTERS) {
      const value = document.getElementById("f-" + name).value;
      if (value) filters.push([name, value]);
    }
    return { words: box.value.toLowerCase().split(/\s+/).filter(Boolean), filters: filters };
  }

  function matches(rule, asked) {
    return (
      asked.words.every((word) => rule.haystack.includes(word)) &&
      asked.filters.every(([name, value]) => values(rule, name).includes(value))
    );
  }

  function rank(rule, asked) {
    const title = rule.title.toLowerCase();
    return asked.words.every((word) => title.includes(word)) ? 0 : 1;
  }

  function item(rule) {
    const line = document.createElement("li");
    const link = document.createElement("a");
    link.href = "rules/" + encodeURIComponent(rule.id) + ".html";
    link.textContent = rule.title;
    const about = document.createElement("span");
    about.className = "about";
    const level = document.createElement("span");
    level.className = "badge level-" + rule.level;
    level.textContent = rule.level;
    about.append(level, [rule.status, rule.tactic.join(", "), rule.service.slice(0, 3).join(", "), rule.pack].filter(Boolean).join(" · "));
    line.append(link, " (" + rule.source + ")", about);
    return line;
  }

  function showMore() {
    const next = found.slice(shown, shown + SHOWN);
    list.append(...next.map(item));
    shown += next.length;
    more.hidden = shown >= found.length;
  }

  function remember(asked) {
    const said = new URLSearchParams();
    if (box.value.trim()) said.set("q", box.value.trim());
    for (const [name, value] of asked.filters) said.set(name, value);
    history.replaceState(null, "", "#" + said.toString());
  }

  function search() {
    const asked = wanted();
    found = rules.filter((rule) => matches(rule, asked));
    if (asked.words.length) found.sort((a, b) => rank(a, asked) - rank(b, asked));
    list.replaceChildren();
    shown = 0;
    showMore();
    count.textContent = found.length === 1 ? "1 rule" : found.length.toLocaleString("en") + " rules";
    return asked;
  }

  function recall() {
    const said = new URLSearchParams(location.hash.slice(1));
    box.value = said.get("q") || "";
    for (const name of FILTERS) {
      const select = document.getElementById("f-" + name);
      select.value = said.get(name) || "";
      if (select.selectedIndex < 0) select.value = "";
    }
  }

  fillSelects();
  recall();
  search();
  form.hidden = false;
  list.hidden = false;
  document.getElementById("first").hidden = true;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => remember(search()));
  form.addEventListener("reset", () => setTimeout(() => remember(search()), 0));
  more.addEventListener("click", showMore);
  addEventListener("hashchange", () => {
    recall();
    search();
  });
})();

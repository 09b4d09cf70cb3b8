// Keys, the pairing of equations and lines, and dark or light. The pages read well without it.
(() => {
  "use strict";
  const root = document.documentElement;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const narrow = matchMedia("(max-width: 900px)");
  const one = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];

  // Dark or light: what the system asks for, until the reader chooses.
  const kept = {
    get() { try { return localStorage.getItem("minivae-theme"); } catch { return null; } },
    set(value) { try { localStorage.setItem("minivae-theme", value); } catch { /* not kept */ } },
  };
  const setTheme = (theme) => { if (theme) root.dataset.theme = theme; };
  const isDark = () => (root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches);
  setTheme(kept.get());
  const toggleTheme = () => {
    setTheme(isDark() ? "light" : "dark");
    kept.set(root.dataset.theme);
  };
  one("#theme").addEventListener("click", toggleTheme);
  const help = one("#help");
  const showHelp = () => help.showModal();
  one("#keys").addEventListener("click", showHelp);

  // Equations and their lines.
  const equations = all(".eq");
  const pane = one("#code pre");
  const linesOf = (equation) => equation.dataset.lines.split(" ").map((n) => one(`#L-${n}`));
  const behaviour = () => (calm.matches ? "auto" : "smooth");
  let current = -1;
  let cited = 0;

  const light = (kind, equation) => {
    all(`.${kind}`).forEach((element) => element.classList.remove(kind));
    if (!equation) return;
    [equation, ...linesOf(equation)].forEach((element) => element.classList.add(kind));
  };
  const scrollPane = (line) => {
    if (narrow.matches) return;
    const top = line.offsetTop - pane.offsetTop - pane.clientHeight / 3;
    pane.scrollTo({ top, behavior: behaviour() });
  };
  const select = (index, line = 0) => {
    current = index;
    const equation = equations[index];
    light("now", equation);
    cited = line;
    scrollPane(linesOf(equation)[line]);
  };
  const go = (step) => {
    if (!equations.length) return;
    const from = current < 0 && step < 0 ? equations.length : current;
    const index = Math.max(0, Math.min(equations.length - 1, from + step));
    select(index);
    equations[index].focus({ preventScroll: true });
    equations[index].scrollIntoView({ block: "center", behavior: behaviour() });
  };
  const nextLine = () => {
    const lines = linesOf(equations[current]);
    cited = (cited + 1) % lines.length;
    if (narrow.matches) lines[cited].scrollIntoView({ block: "center", behavior: behaviour() });
    else scrollPane(lines[cited]);
  };

  const arrive = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target) return;
    if (target.matches(".eq")) select(equations.indexOf(target));
    const index = target.matches(".line")
      ? equations.findIndex((equation) => linesOf(equation).includes(target)) : -1;
    if (index >= 0) select(index, linesOf(equations[index]).indexOf(target));
  };
  addEventListener("hashchange", arrive);
  arrive();
  const firstCited = one(".line.cites");
  if (firstCited && current < 0 && !narrow.matches) {  // the imports above can wait
    pane.scrollTop = firstCited.offsetTop - pane.offsetTop - 90;
  }

  equations.forEach((equation, index) => {
    equation.addEventListener("mouseenter", () => light("hint", equation));
    equation.addEventListener("mouseleave", () => light("hint"));
    equation.addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (!link) { select(index); return; }
      // On a wide screen both are in view: the page stays, the code scrolls.
      if (narrow.matches) return;
      event.preventDefault();
      select(index, linesOf(equation).findIndex((line) => `#${line.id}` === link.hash));
    });
  });

  const follow = (selector) => one(selector)?.click();
  const keys = {
    j: () => go(1),
    k: () => go(-1),
    n: () => follow("header a[rel=next]"),
    p: () => follow("header a[rel=prev]"),
    i: () => follow("header .home"),
    t: toggleTheme,
    "?": showHelp,
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (event.key === "Enter" && document.activeElement === equations[current]) nextLine();
    else if (event.key in keys) keys[event.key]();
    else return;
    event.preventDefault();
  });
})();

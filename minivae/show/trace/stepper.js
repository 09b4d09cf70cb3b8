(() => {
  for (const box of document.querySelectorAll(".minivae-trace:not(.ready)")) {
    const cards = [...box.querySelectorAll("details.card")];
    const links = [...box.querySelectorAll("nav button")];
    const [back, next] = box.querySelectorAll(".bar button");
    const place = box.querySelector("output");
    let at = 0;

    const show = (index) => {
      at = Math.max(0, Math.min(cards.length - 1, index));
      cards.forEach((card, i) => { card.open = i === at; });
      links.forEach((link, i) => {
        if (i === at) link.setAttribute("aria-current", "step");
        else link.removeAttribute("aria-current");
      });
      back.disabled = at === 0;
      next.disabled = at === cards.length - 1;
      place.textContent = `${at + 1} of ${cards.length}, ${cards[at].dataset.phase}`;
      // Only the list scrolls: scrollIntoView would move the notebook around it.
      const list = box.querySelector("nav");
      const top = links[at].offsetTop - list.offsetTop;
      if (top < list.scrollTop || top + 40 > list.scrollTop + list.clientHeight) {
        list.scrollTop = top - list.clientHeight / 3;
      }
    };

    back.addEventListener("click", () => show(at - 1));
    next.addEventListener("click", () => show(at + 1));
    links.forEach((link, i) => link.addEventListener("click", () => show(i)));
    box.addEventListener("click", (event) => {
      const origin = event.target.closest("a[data-step]");
      if (!origin) return;
      event.preventDefault();
      show(Number(origin.dataset.step));
    });
    const keys = {
      ArrowRight: () => at + 1, ArrowLeft: () => at - 1,
      Home: () => 0, End: () => cards.length - 1,
    };
    const press = (event) => {
      if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      show(keys[event.key]());
    };
    // A page of its own listens everywhere; in a notebook the arrows belong to the focused trace.
    (box.dataset.page === undefined ? box : document).addEventListener("keydown", press);
    box.classList.add("ready");
    show(0);
  }
})();

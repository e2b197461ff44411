// The steps of a task: j and k move, Enter opens (the browser's own way), e opens or closes all, a link to a row opens its step.

const all = () => [...document.querySelectorAll("[data-steps] > .step")];

const go = (step) => {
  for (const each of all()) each.classList.toggle("here", each === step);
  step.querySelector("summary").focus({ preventScroll: true });
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  step.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
};

const here = () => {
  const found = all();
  const focused = found.findIndex((each) => each.contains(document.activeElement));
  return focused >= 0 ? focused : found.findIndex((each) => each.classList.contains("here"));
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable], dialog")) return;
  const found = all();
  if (!found.length || !["j", "k", "e"].includes(event.key)) return;
  event.preventDefault();
  if (event.key === "e") {
    const open = found.some((each) => !each.querySelector("details").open);
    for (const each of found) each.querySelector("details").open = open;
    return;
  }
  const next = here() + (event.key === "j" ? 1 : -1);
  go(found[Math.max(0, Math.min(found.length - 1, next))]);
});

const linked = () => {
  if (!/^#seq-\d+$/.test(location.hash)) return;
  const step = document.querySelector(location.hash)?.closest(".step");
  if (!step) return;
  step.querySelector("details").open = true;
  go(step);
  step.scrollIntoView({ block: "start" });
};
window.addEventListener("hashchange", linked);
linked();

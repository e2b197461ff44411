// Puts the chosen theme on the page before anything is drawn. A classic script in the head, so that nothing flashes.
(() => {
  const root = document.documentElement;
  const read = () => { try { return localStorage.getItem("joule-theme"); } catch { return null; } };
  const apply = (theme) => {
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    root.dataset.theme = theme === "dark" || theme === "light" ? theme : system;
    root.dataset.chosen = theme === "dark" || theme === "light" ? theme : "auto";
  };
  apply(read());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(read()));
  document.addEventListener("joule:theme", (event) => {
    try { localStorage.setItem("joule-theme", event.detail); } catch { /* private window: for this page only */ }
    apply(event.detail);
  });
})();

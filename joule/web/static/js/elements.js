// Small elements: a button that copies, and a time that says how long ago it was.

customElements.define("copy-text", class extends HTMLElement {
  connectedCallback() {
    this.addEventListener("click", async (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      const from = this.dataset.from ? document.getElementById(this.dataset.from) : null;
      const text = this.dataset.text ?? from?.innerText ?? "";
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        const area = document.createElement("textarea");
        area.value = text;
        this.append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
      }
      const label = button.querySelector("[data-label]") ?? button;
      const before = label.textContent;
      label.textContent = "Copied";
      setTimeout(() => { label.textContent = before; }, 1500);
    });
  }
});

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const units = [["second", 60], ["minute", 60], ["hour", 24], ["day", 7], ["week", 4.35], ["month", 12], ["year", Infinity]];

const ago = (instant) => {
  let amount = (instant - Date.now()) / 1000;
  if (Math.abs(amount) < 10) return "just now";
  for (const [unit, size] of units) {
    if (Math.abs(amount) < size) return relative.format(Math.round(amount), unit);
    amount /= size;
  }
  return "";
};

customElements.define("time-ago", class extends HTMLElement {
  connectedCallback() {
    const time = this.querySelector("time");
    const instant = new Date(time.dateTime);
    const show = () => { time.textContent = ago(instant); };
    time.title = instant.toLocaleString("en-GB");
    show();
    this.timer = setInterval(show, 30_000);
  }
  disconnectedCallback() { clearInterval(this.timer); }
});

// A link that leaves for another site opens apart, so that a running answer is not lost.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.(".prose a[href]");
  if (link && new URL(link.href, location.href).origin !== location.origin) {
    event.preventDefault();
    window.open(link.href, "_blank", "noopener,noreferrer");
  }
});

// The conversation: the composer's keys, and a log that follows its end only while the reader is there.

const near = 48; // pixels from the end that still count as the end

customElements.define("follow-log", class extends HTMLElement {
  connectedCallback() {
    this.following = true;
    this.jump = document.getElementById(this.dataset.jump);
    this.addEventListener("scroll", () => this.look(), { passive: true });
    this.jump?.addEventListener("click", () => this.toEnd(true));
    this.observer = new MutationObserver(() => this.grown());
    this.observer.observe(this, { childList: true, subtree: true, characterData: true });
    this.sizes = new ResizeObserver(() => this.grown());
    this.sizes.observe(this);
    requestAnimationFrame(() => this.toEnd(false));
  }
  disconnectedCallback() { this.observer.disconnect(); this.sizes.disconnect(); }
  look() {
    this.following = this.scrollHeight - this.scrollTop - this.clientHeight < near;
    if (this.jump) this.jump.hidden = this.following;
  }
  grown() {
    if (this.following) this.scrollTop = this.scrollHeight;
    else this.look();
  }
  toEnd(smooth) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.following = true;
    this.scrollTo({ top: this.scrollHeight, behavior: smooth && !calm ? "smooth" : "auto" });
    if (this.jump) this.jump.hidden = true;
  }
});

customElements.define("message-composer", class extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.text = this.querySelector("textarea");
    this.text.addEventListener("keydown", (event) => this.key(event));
    this.form.addEventListener("htmx:before:request", () => { this.sent = this.text.value; });
    this.form.addEventListener("htmx:after:request", (event) => {
      const status = event.detail.ctx.response?.status ?? 500;
      if (status < 300 && this.text.value === this.sent) this.text.value = "";
      document.querySelector("follow-log")?.toEnd(false);
    });
    if (this.hasAttribute("data-focus") && matchMedia("(hover: hover)").matches) this.text.focus();
  }
  get isRunning() { return document.querySelector("[data-running]") !== null; }
  key(event) {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (this.text.value.trim() && !this.isRunning) this.form.requestSubmit();
    } else if (event.key === "ArrowUp" && this.text.value === "") {
      const edits = document.querySelectorAll("[data-edit]");
      if (edits.length) { event.preventDefault(); edits[edits.length - 1].click(); }
    }
  }
});

document.addEventListener("click", (event) => {
  const idea = event.target.closest?.("[data-idea]");
  if (!idea) return;
  const text = document.querySelector("message-composer textarea");
  text.value = idea.dataset.idea;
  text.focus();
});

// Enter sends an edited message as well; Escape leaves it as it was.
document.addEventListener("keydown", (event) => {
  const editor = event.target.closest?.(".asked textarea");
  if (!editor || event.isComposing) return;
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    if (editor.value.trim()) editor.form.requestSubmit();
  } else if (event.key === "Escape") {
    event.stopPropagation();
    editor.form.querySelector("[data-cancel]")?.click();
  }
});

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) {
    document.querySelector("[data-stop]")?.click();
  } else if (event.key === "/" && !typing) {
    const text = document.querySelector("message-composer textarea");
    if (text) { event.preventDefault(); text.focus(); }
  } else if (event.key === "?" && !typing) {
    const help = document.getElementById("keys");
    if (help && !help.open) { event.preventDefault(); help.showModal(); }
  }
});

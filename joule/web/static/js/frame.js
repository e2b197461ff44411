// The frame's own manners: rail and panel on small screens, dialogs, notices, the theme switch, questions before deletes.

const body = document.body;

// what lies under an open drawer cannot be reached
const behind = (drawer) => ["rail", "bar", "main", "panel"].map((id) => document.getElementById(id)).filter((each) => each && each !== drawer);

const open = (name, opener) => {
  body.dataset.open = name;
  body.opener = opener;
  const part = document.getElementById(name);
  opener?.setAttribute("aria-expanded", "true");
  for (const each of behind(part)) each.inert = true;
  part?.querySelector("a, button, input, [tabindex]")?.focus();
};

const close = () => {
  if (!body.dataset.open) return;
  delete body.dataset.open;
  for (const each of behind(null)) each.inert = false;
  body.opener?.setAttribute("aria-expanded", "false");
  body.opener?.focus();
};

document.addEventListener("click", (event) => {
  const at = (selector) => event.target.closest?.(selector);
  let found;
  if ((found = at("[data-drawer]"))) {
    body.dataset.open === found.dataset.drawer ? close() : open(found.dataset.drawer, found);
  } else if (at(".veil, [data-close-drawer]")) {
    close();
  } else if ((found = at("[data-dialog]"))) {
    document.getElementById(found.dataset.dialog)?.showModal();
  } else if ((found = at("[data-close]"))) {
    found.closest("dialog")?.close();
  } else if ((found = at("[data-dismiss]"))) {
    found.closest(".notice")?.remove();
  } else if ((found = at("[data-theme-choice]"))) {
    document.dispatchEvent(new CustomEvent("joule:theme", { detail: found.dataset.themeChoice }));
    pressTheme();
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && body.dataset.open) { close(); event.stopPropagation(); }
}, true);

const pressTheme = () => {
  for (const button of document.querySelectorAll("[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === document.documentElement.dataset.chosen));
  }
};
pressTheme();

// hx-confirm asks in our own dialog
document.addEventListener("htmx:confirm", (event) => {
  const dialog = document.getElementById("confirm");
  const question = event.detail.ctx?.confirm;
  if (!dialog || !question) return;
  event.preventDefault();
  dialog.querySelector("p").textContent = question;
  dialog.returnValue = "";
  dialog.addEventListener("close", () => {
    dialog.returnValue === "yes" ? event.detail.issueRequest() : event.detail.dropRequest();
  }, { once: true });
  dialog.showModal();
});

document.addEventListener("htmx:error", (event) => {
  const offline = document.getElementById("offline-notice");
  const notices = document.getElementById("notices");
  if (!offline || !notices || !event.detail?.ctx) return;
  notices.replaceChildren(offline.content.cloneNode(true));
});
